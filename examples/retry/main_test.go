package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The trace as it is printed, with one line for the attempts that failed and
// without times and services.
const want = `POST /orders
└ kafka.send orders[0]@0
├ kafka.publish ✗ Local: Message timed out [error.type _MSG_TIMED_OUT]
└ kafka.publish orders[0]@0
└ kafka.receive orders[0]@0 (billing)
├ kafka.process orders[0]@0 (billing)
│ ✗ cannot charge -1999 cents [error.type *errors.errorString]
└ kafka.send orders.dead-letters[0]@0
└ kafka.publish orders.dead-letters[0]@0
`

var (
	failedAttempt = regexp.MustCompile(`(├ kafka\.publish) orders(?:\[0\])?\n│ (✗ .*\n)`)
	attempts      = regexp.MustCompile(`(?:(├ kafka\.publish ✗ .*\n))+`)
)

func TestRun(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-outage", "1500ms"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("output:\n%s", &out)
	if n := strings.Count(out.String(), "trace "); n != 1 {
		t.Errorf("%d traces, want 1", n)
	}
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "trace ") {
			continue
		}
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "order-service"), "▕")
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	shape := attempts.ReplaceAllString(failedAttempt.ReplaceAllString(got.String(), "$1 $2"), "$1")
	if shape != want {
		t.Errorf("the trace is\n%swant\n%s", shape, want)
	}
}
