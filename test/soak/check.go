package soak

import (
	"errors"
	"fmt"
	"slices"
)

// MemoryMessages is from how many messages on memory is judged. In a shorter run the last quarter is still warm-up.
const MemoryMessages = 1_000_000

// How much the median of the heap, and that of the RSS, may grow from the second quarter of a run to the last: what they
// fluctuate by. The middles of the two quarters are half the messages apart, so of ten million messages a leak of two to
// four bytes each is found.
const (
	growthRatio = 0.1
	growthBytes = 8 << 20
)

func heapOf(s Sample) int64 { return s.Heap }
func rssOf(s Sample) int64  { return s.RSS }

// goroutineSpread is by how much the number of goroutines may vary after the warm-up. The runtime and the SDK have some
// that come and go.
const goroutineSpread = 2

// Check returns what was not as it must be, or nil.
func (r *Report) Check() error {
	errs := []error{r.Order, r.Goroutines, r.checkSpans()}
	if n := int64(r.Config.Messages); r.Sent != n || r.Consumed != n {
		errs = append(errs, fmt.Errorf("metrics: %d sent and %d consumed of %d messages", r.Sent, r.Consumed, n))
	}
	if least, most := goroutines(r.settled()); most-least > goroutineSpread {
		errs = append(errs, fmt.Errorf("goroutines: from %d to %d after the warm-up", least, most))
	}
	if r.Config.Messages >= MemoryMessages {
		errs = append(errs, r.checkGrowth("heap", heapOf), r.checkGrowth("RSS", rssOf))
	}
	return errors.Join(errs...)
}

// checkSpans wants every span that was started ended and exported. A receive span continues the trace of its message,
// so there are as many as publish spans, and as many as messages if all are sampled.
func (r *Report) checkSpans() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Publish.Started != r.Publish.Ended || r.Receive.Started != r.Receive.Ended {
		wrong("spans: %d publish spans started, %d ended; %d receive spans started, %d ended",
			r.Publish.Started, r.Publish.Ended, r.Receive.Started, r.Receive.Ended)
	}
	if ended := r.Publish.Ended + r.Receive.Ended; ended != r.Exported {
		wrong("spans: %d ended, %d exported", ended, r.Exported)
	}
	if r.Publish.Started != r.Receive.Started {
		wrong("spans: %d publish, %d receive", r.Publish.Started, r.Receive.Started)
	}
	if r.Config.Sampling == 1 && r.Publish.Started != int64(r.Config.Messages) {
		wrong("spans: %d publish spans of %d messages, every one sampled", r.Publish.Started, r.Config.Messages)
	}
	return errors.Join(errs...)
}

func (r *Report) checkGrowth(what string, of func(Sample) int64) error {
	from, to := median(r.quarter(2), of), median(r.quarter(4), of)
	limit := from + int64(growthRatio*float64(from)) + growthBytes
	if to <= limit {
		return nil
	}
	return fmt.Errorf("%s: from %s in the second quarter to %s in the last; the limit is %s", what, mib(from), mib(to), mib(limit))
}

// quarter returns the samples of a quarter of the run, counted from 1.
func (r *Report) quarter(n int) []Sample {
	return r.Samples[len(r.Samples)*(n-1)/4 : len(r.Samples)*n/4]
}

// settled returns the samples after the warm-up, which the first quarter is, and before the producer's end.
func (r *Report) settled() []Sample {
	return slices.DeleteFunc(slices.Clone(r.Samples[len(r.Samples)/4:]), func(s Sample) bool {
		return s.Consumed+s.InFlight >= r.Config.Messages
	})
}

func median(samples []Sample, of func(Sample) int64) int64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func goroutines(samples []Sample) (least, most int) {
	for i, s := range samples {
		if i == 0 {
			least = s.Goroutines
		}
		least, most = min(least, s.Goroutines), max(most, s.Goroutines)
	}
	return least, most
}
