package consume

import (
	"slices"
	"strings"
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
	for _, w := range Works {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			const messages = 2 * batchSize
			recorded := func(open func(func() telemetry.Providers) Open) []string {
				r := telemetrytest.NewRecorder()
				return r.Run(t, w.Workload(Variant{Open: open(r.Providers)}), messages)
			}
			traced := recorded(traced)
			telemetrytest.Compare(t, "by hand", recorded(byHand), traced)
			spans := map[Task]int{Receive: messages, Process: 2 * messages, Batch: 2 * messages / batchSize}[w.Task]
			if n := len(slices.DeleteFunc(traced, func(line string) bool { return !strings.HasPrefix(line, "span ") })); n != spans {
				t.Errorf("%d spans, not %d", n, spans)
			}
		})
	}
}
