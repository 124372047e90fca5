package main

import (
	"runtime"
	"syscall"
	"time"
)

// sample is what one message of one measurement cost.
type sample struct {
	cpu, wall     time.Duration
	allocs, bytes float64
}

// once measures one run of a variant. CPU time is that of the whole process, the
// client's threads and the broker included.
func once(v variant, messages int) (sample, error) {
	work, cleanUp, err := v.prepare(messages)
	if err != nil {
		return sample{}, err
	}
	defer cleanUp()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	if err := work(); err != nil {
		return sample{}, err
	}
	s := sample{cpu: cpuTime() - cpu, wall: time.Since(start)}
	runtime.ReadMemStats(&after)
	n := time.Duration(messages)
	s.cpu, s.wall = s.cpu/n, s.wall/n
	s.allocs = float64(after.Mallocs-before.Mallocs) / float64(messages)
	s.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(messages)
	return s, nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
