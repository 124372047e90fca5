//go:build integration

package dashboard

import (
	"context"
	"testing"
	"time"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// patience is how long a test waits for what should happen soon, on a machine that has other things to do.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { kafkatest.Main(m) }

// eventually waits until check finds nothing wrong, which nothing tells of.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // The end of the time is not what is wrong.
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %v", patience, last)
		}
	}
}
