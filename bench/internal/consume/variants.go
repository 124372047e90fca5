package consume

import (
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Variants returns all the ways to consume; the first is the raw client.
func Variants() []Variant {
	variants := append(make([]Variant, 0, 2+2*len(telemetry.Levels)),
		Variant{measure.RawClient, "", raw},
		Variant{measure.TracedOff, measure.RawClient, traced(telemetry.Off)})
	for _, level := range telemetry.Levels {
		variants = append(variants,
			Variant{level.ByHand(), "", byHand(level.Providers)},
			Variant{level.Traced(), level.ByHand(), traced(level.Providers)})
	}
	return variants
}

// Works are the works that are measured.
var Works = []Work{
	Base,
	{Name: "`ReadMessage`", By: ReadMessage},
	{Name: "`Events()`", By: Events},
	{Name: "`Poll` and `Process`", Task: Process},
	{Name: "`ReadBatch` and `ProcessBatch`", Task: Batch},
}

// Workloads are the works, those that only receive in another way with few of the
// variants.
func Workloads() []measure.Workload {
	loads := make([]measure.Workload, 0, len(Works))
	for _, w := range Works {
		load := w.Workload(Variants()...)
		if w.By != Poll {
			load = load.Few()
		}
		loads = append(loads, load)
	}
	return loads
}
