//go:build !race

// The race detector makes sync.Pool forget, so these figures hold without it.

package main

import (
	"testing"

	"github.com/kafkatrace/tracing/bench/internal/consume"
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
)

// more is what the library may allocate for a message beyond the same tracing
// written by hand, or beyond the raw client where everything is off.
var more = map[string]map[string]float64{
	"produce, reports off":           {measure.TracedOff: 6}, // the wrapper is not off: Send needs its reports
	"`Poll`":                         {"traced, not sampled": 1, "traced, sampled": 1, "traced, sampled, with metrics": 1},
	"`ReadMessage`":                  {"traced, not sampled": 1, "traced, sampled": 1, "traced, sampled, with metrics": 1},
	"`Events()`":                     {"traced, not sampled": 1, "traced, sampled": 1, "traced, sampled, with metrics": 1},
	"`Poll` and `Process`":           {"traced, not sampled": 5, "traced, sampled": 5, "traced, sampled, with metrics": 5},
	"`ReadBatch` and `ProcessBatch`": {"traced, not sampled": 1.4, "traced, sampled": 1.4, "traced, sampled, with metrics": 1.4},
}

func TestAllocations(t *testing.T) {
	const messages, slack = 10_000, 0.1
	for _, w := range workloads() {
		err := measure.WithBroker(func(broker string) error {
			messages, err := w.Ready(broker, messages)
			if err != nil {
				return err
			}
			got := map[string]float64{}
			for _, v := range w.Variants {
				got[v.Name] = allocations(t, v, broker, messages)
			}
			for _, v := range w.Variants {
				if v.Floor == "" {
					continue
				}
				limit := got[v.Floor] + more[w.Name][v.Name] + slack
				t.Logf("%s, %s: %.2f allocations for a message, %.2f for %s", w.Name, v.Name, got[v.Name], got[v.Floor], v.Floor)
				if got[v.Name] > limit {
					t.Errorf("%s, %s: %.2f allocations for a message, over the limit of %.2f", w.Name, v.Name, got[v.Name], limit)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// workloads are those whose path through the library is not another's.
func workloads() []measure.Workload {
	names := []string{
		measure.RawClient, measure.TracedOff, measure.HandNotSampled, measure.TracedNotSampled,
		measure.HandSampled, measure.TracedSampled, measure.HandWithMetrics, measure.TracedWithMetrics,
	}
	var loads []measure.Workload
	for _, w := range produce.Works() {
		if w.Goroutines == 1 && w.ValueSize == produce.Base.ValueSize {
			loads = append(loads, w.Workload(produce.Variants()...).Only(names...))
		}
	}
	for _, w := range consume.Works {
		loads = append(loads, w.Workload(consume.Variants()...).Only(names...))
	}
	return loads
}

// allocations returns the lesser of two measurements: what else runs only adds.
func allocations(t *testing.T, v measure.Variant, broker string, messages int) float64 {
	t.Helper()
	least := 0.0
	for i := range 2 {
		s, err := v.Once(broker, messages)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 || s.Allocs < least {
			least = s.Allocs
		}
	}
	return least
}
