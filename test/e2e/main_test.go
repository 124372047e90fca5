//go:build integration

package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// patience is how long a test waits for what should happen soon, on a machine that has other things to do.
const patience = 2 * time.Minute

// TestMain also is the main function of the processes that these tests start to kill them.
func TestMain(m *testing.M) {
	if name := os.Getenv(workerVariable); name != "" {
		os.Exit(work(name))
	}
	kafkatest.Main(m, examples.remove, impatient.close)
}

// patient returns a context for what a test waits for.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until a condition holds that nothing tells of.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
