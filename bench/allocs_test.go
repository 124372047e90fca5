//go:build !race

// The race detector makes sync.Pool forget, so these figures hold without it.

package main

import (
	"slices"
	"testing"
)

// What the library allocates beyond the raw client or beyond the same tracing
// written by hand.
func TestAllocations(t *testing.T) {
	const messages = 20_000
	limits := []struct {
		workload            workload
		variant, comparedTo string
		more                float64
	}{
		{producing(false), "traced, all off", "raw client", 0.1},
		{producing(false), "traced, not sampled", "by hand, not sampled", 0.1},
		{producing(false), "traced, sampled", "by hand, sampled", 0.1},
		{producing(false), "traced, sampled, with metrics", "traced, sampled", 0.1},
		{producing(true), "traced, all off", "raw client", 0.1},
		{producing(true), "traced, sampled", "by hand, sampled", 0.1},
		{consuming(), "traced, all off", "raw client", 0.1},
		{consuming(), "traced, not sampled", "by hand, not sampled", 1.1},
		{consuming(), "traced, sampled", "by hand, sampled", 0.1},
	}
	for _, l := range limits {
		got, floor := allocations(t, l.workload, l.variant, messages), allocations(t, l.workload, l.comparedTo, messages)
		t.Logf("%s, %s: %.2f allocations for a message, %.2f for %s", l.workload.name, l.variant, got, floor, l.comparedTo)
		if got > floor+l.more {
			t.Errorf("%s, %s: %.2f allocations for a message, over %.2f of %s by more than %.1f",
				l.workload.name, l.variant, got, floor, l.comparedTo, l.more)
		}
	}
}

// allocations returns the least of three measurements: what else runs only adds.
func allocations(t *testing.T, w workload, name string, messages int) float64 {
	t.Helper()
	i := slices.IndexFunc(w.variants, func(v variant) bool { return v.name == name })
	least := 1e9
	for range 3 {
		s, err := once(w.variants[i], messages)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, s.allocs)
	}
	return least
}
