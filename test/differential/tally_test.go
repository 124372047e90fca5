package differential

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/kafkatrace/tracing/test/reliability"
)

// tally counts what a property has been tried on.
type tally struct {
	scripts, steps, messages, started, ended atomic.Int64
}

// newTally records the counts when the test and its subtests are over.
func newTally(t *testing.T, property string) *tally {
	t.Helper()
	c := &tally{}
	t.Cleanup(func() {
		spans := fmt.Sprintf("%d started, %d ended", c.started.Load(), c.ended.Load())
		t.Logf("%d scripts, %d steps, %d messages, spans: %s", c.scripts.Load(), c.steps.Load(), c.messages.Load(), spans)
		reliability.Record(t, reliability.Result{Suite: "differential", Case: property, Cells: map[string]string{
			"scripts":     strconv.FormatInt(c.scripts.Load(), 10),
			"steps":       strconv.FormatInt(c.steps.Load(), 10),
			"messages":    strconv.FormatInt(c.messages.Load(), 10),
			"modes":       strconv.Itoa(len(modes)),
			"differences": "0", // else it has failed
			"spans":       spans,
		}})
	})
	return c
}

// count counts a script that has been played.
func (c *tally) count(steps, messages int, spans ...*telemetry) {
	c.scripts.Add(1)
	c.steps.Add(int64(steps))
	c.messages.Add(int64(messages))
	for _, tel := range spans {
		c.started.Add(int64(len(tel.spans.Started())))
		c.ended.Add(int64(len(tel.spans.Ended())))
	}
}
