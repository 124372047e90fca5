package produce

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/bench/internal/telemetry"
	"github.com/kafkatrace/tracing/bench/internal/telemetry/telemetrytest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// What is written by hand is the floor only if it makes what the library makes.
func TestFloorMakesTheSameSpans(t *testing.T) {
	t.Parallel()
	for _, w := range Works() {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			const messages = 20
			recorded := func(open func(func() telemetry.Providers) Open) []string {
				r := telemetrytest.NewRecorder()
				return r.Run(t, w.Workload(Variant{Open: open(r.Providers)}), messages)
			}
			traced := recorded(Traced)
			telemetrytest.Compare(t, "by hand", recorded(byHand), traced)
			if w == Base {
				telemetrytest.Compare(t, "a goroutine for each message", recorded(goroutineEach), traced)
			}
			// A span for each message and for the one that connects, and two series.
			if len(traced) != messages+1+2 {
				t.Errorf("%d spans and series", len(traced))
			}
		})
	}
}
