package tracing

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate()
	if g.closed() || !g.enter() || !g.enter() {
		t.Fatal("a new gate is not open")
	}
	if !g.close() {
		t.Error("the first close is not the first")
	}
	if g.close() || !g.closed() {
		t.Error("a second close counts as the first")
	}
	if g.enter() || isClosed(g.drained) {
		t.Error("a closed gate lets through, or is drained with two calls inside")
	}
	g.leave()
	if isClosed(g.drained) {
		t.Error("drained with one call inside")
	}
	g.leave()
	if !isClosed(g.drained) {
		t.Error("not drained")
	}
	if g.enter() { // and its leaving does no harm
		t.Error("a drained gate lets through")
	}

	empty := newGate()
	if !empty.close() || !isClosed(empty.drained) {
		t.Error("a gate that nobody entered is not drained at once")
	}
}

// Nobody is inside once it is drained, and it always is in the end.
func TestGateConcurrently(t *testing.T) {
	t.Parallel()
	for range 500 {
		g := newGate()
		var (
			inside, first atomic.Int64
			calls         sync.WaitGroup
		)
		for range 4 {
			calls.Go(func() {
				for range 20 {
					if !g.enter() {
						return
					}
					inside.Add(1)
					inside.Add(-1)
					g.leave()
				}
			})
		}
		for range 2 {
			calls.Go(func() {
				if g.close() {
					first.Add(1)
				}
				<-g.drained
				if n := inside.Load(); n != 0 {
					t.Errorf("drained with %d inside", n)
				}
			})
		}
		calls.Wait()
		if first.Load() != 1 {
			t.Fatalf("%d calls were the first to close", first.Load())
		}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
