// Package profile tells which part of the process the CPU time of a workload, and
// the waiting for its locks, belongs to.
package profile

import (
	"strings"

	"github.com/google/pprof/profile"
)

// Component is a part of the process.
type Component int

// The parts of the process.
const (
	Threads       Component = iota // librdkafka's own
	Cgo                            // calls into librdkafka
	ClientGo                       // confluent-kafka-go
	OpenTelemetry                  // the SDK and the API
	Library                        // this library
	Bench                          // the loop that is measured, and what is written by hand
	Runtime                        // the scheduler and the garbage collector
	Unknown                        // CPU time of the process that is in none of these
	components
)

var componentNames = [components]string{
	"librdkafka's threads", "calls into librdkafka", "client's Go code",
	"OpenTelemetry", "this library", "the benchmark", "Go runtime", "not seen",
}

func (c Component) String() string { return componentNames[c] }

// ofFunction returns the component that a function belongs to, if it is one that
// its callees' time is counted for.
func ofFunction(name string) (Component, bool) {
	const tracing = "github.com/kafkatrace/tracing"
	switch {
	case name == "runtime.cgocall", strings.HasPrefix(name, "_cgo_"), name == "runtime._ExternalCode":
		return Cgo, true
	case strings.HasPrefix(name, "github.com/confluentinc/confluent-kafka-go/"):
		return ClientGo, true
	case strings.HasPrefix(name, "go.opentelemetry.io/"):
		return OpenTelemetry, true
	case strings.HasPrefix(name, tracing+"/bench"), strings.HasPrefix(name, "main."):
		return Bench, true
	case strings.HasPrefix(name, tracing):
		return Library, true
	}
	return 0, false
}

// innermost returns the component of a sample: that of its innermost function
// which belongs to one. What the standard library and the runtime do is counted
// for whoever calls them, and for the runtime if nobody does.
func innermost(s *profile.Sample) Component {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if c, ok := ofFunction(line.Function.Name); ok {
				return c
			}
		}
	}
	return Runtime
}
