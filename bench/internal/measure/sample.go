package measure

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// Sample is what one message of one measurement cost.
type Sample struct {
	CPU, Wall     time.Duration
	Allocs, Bytes float64
	Goroutines    int // at the peak, beside those that were there before
}

// Once measures the variant once.
func (v Variant) Once(broker string, messages int) (s Sample, err error) {
	goroutines := runtime.NumGoroutine()
	r, err := v.prepare(broker, messages)
	if err != nil {
		return s, err
	}
	s, err = r.sample(messages, goroutines)
	if err != nil {
		return s, fmt.Errorf("%s: %w", v.Name, err)
	}
	r.CleanUp()
	return s, nil
}

// With prepares a run, calls do with its work, which may be done several times, and
// cleans up.
func (v Variant) With(broker string, messages int, do func(work func() error) error) error {
	r, err := v.prepare(broker, messages)
	if err != nil {
		return err
	}
	if err := do(func() error { return within(limit, r.Work) }); err != nil {
		return fmt.Errorf("%s: %w", v.Name, err)
	}
	r.CleanUp()
	return nil
}

func (v Variant) prepare(broker string, messages int) (Run, error) {
	r, err := v.Prepare(broker, messages)
	if err != nil {
		return r, fmt.Errorf("prepare %s: %w", v.Name, err)
	}
	return r, nil
}

// sample measures the work. goroutines are how many there are without it.
func (r Run) sample(messages, goroutines int) (Sample, error) {
	runtime.GC() // what was before is not to be collected now
	peak := watchGoroutines()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := CPUTime(), time.Now()
	err := within(limit, r.Work)
	cpu, wall := CPUTime()-cpu, time.Since(start)
	runtime.ReadMemStats(&after)
	return Sample{
		CPU:        cpu / time.Duration(messages),
		Wall:       wall / time.Duration(messages),
		Allocs:     float64(after.Mallocs-before.Mallocs) / float64(messages),
		Bytes:      float64(after.TotalAlloc-before.TotalAlloc) / float64(messages),
		Goroutines: peak() - goroutines,
	}, err
}

// CPUTime is that of the whole process, the client's threads and the broker
// included.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchGoroutines counts goroutines every millisecond until the function that it
// returns is called, which returns the most that there were, without its own.
func watchGoroutines() (peak func() int) {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		n := 0
		for {
			n = max(n, runtime.NumGoroutine()-1)
			select {
			case <-tick.C:
			case <-stop:
				most <- n
				return
			}
		}
	}()
	return func() int {
		close(stop)
		return <-most
	}
}
