package produce

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// traceparent is a header of the size of the one that tracing adds.
var traceparent = kafka.Header{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}

// Variants returns all the ways to produce; the first is the raw client.
func Variants() []Variant {
	variants := []Variant{
		{measure.RawClient, "", Raw()},
		{"raw client, one header", "", Raw(traceparent)},
		{"raw client, bare span", "", bareSpan(telemetry.Sampled)},
		{measure.TracedOff, measure.RawClient, Traced(telemetry.Off)},
	}
	for _, level := range telemetry.Levels {
		variants = append(variants,
			Variant{level.ByHand(), "", byHand(level.Providers)},
			Variant{level.Traced(), level.ByHand(), Traced(level.Providers)})
	}
	return append(variants,
		Variant{"traced, 1 % sampled", measure.HandNotSampled, Traced(telemetry.OnePercent)},
		Variant{measure.GoroutineEach, measure.HandSampled, goroutineEach(telemetry.Sampled)})
}

// Works are the works that are measured: the base, and one for each thing that can
// be different.
func Works() []Work {
	differences := []func(*Work){
		func(*Work) {},
		func(w *Work) { w.Name, w.Reports = "produce, `Events()`", Events },
		func(w *Work) { w.Name, w.Reports = "produce, reports off", None },
		func(w *Work) { w.Name, w.Reports, w.ByChannel = "`ProduceChannel`", Events, true },
		func(w *Work) { w.Name, w.Headers = "produce, 3 headers", 3 },
		func(w *Work) { w.Name, w.Goroutines = "produce, 2 goroutines", 2 },
		func(w *Work) { w.Name, w.Goroutines = "produce, 8 goroutines", 8 },
		func(w *Work) { w.Name, w.ValueSize = "produce, 1 kB", 1000 },
		func(w *Work) { w.Name, w.ValueSize, w.InFlight, w.Limit = "produce, 100 kB", 100_000, 200, 1000 },
	}
	works := make([]Work, len(differences))
	for i, differ := range differences {
		works[i] = Base
		differ(&works[i])
	}
	return works
}

// Workloads are the works, the base with every variant and the others with few.
func Workloads() []measure.Workload {
	works := Works()
	loads := make([]measure.Workload, len(works))
	for i, w := range works {
		loads[i] = w.Workload(Variants()...)
		if w != Base {
			loads[i] = loads[i].Few()
		}
	}
	return loads
}
