//go:build integration

package faults

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// patience is how long a test waits for what should happen soon, on a machine that has other things to do.
const patience = time.Minute

func TestMain(m *testing.M) {
	kafkatest.MainIgnoring(m, []goleak.Option{
		// toxiproxy drops what waits on a connection that is closed, but not who waits.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	}, shared.close)
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
	ctx := patient(t)
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

// within fails the test if a call does not return.
func within(t *testing.T, what string, call func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		call()
	}()
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
	}
}
