package tracing

import (
	"sync"
	"sync/atomic"
)

// gate lets calls through until it is closed, and tells when the last call that
// went through has left. It is what keeps calls out of a client that is being
// destroyed: the client itself ends the process with SIGSEGV there.
//
// It is not a lock: a call may enter again from within (a span processor that
// produces, a rebalance callback), and nothing is held while a call blocks.
type gate struct {
	calls   atomic.Int64 // calls inside; shifted by closedBias once closed
	drained chan struct{}
	once    sync.Once
}

// closedBias makes the count negative for any possible number of calls.
const closedBias = -1 << 62

func newGate() *gate {
	return &gate{drained: make(chan struct{})}
}

// enter reports whether the call may go on; if so, leave must follow.
func (g *gate) enter() bool {
	if g.calls.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.calls.Add(-1) == closedBias {
		g.once.Do(func() { close(g.drained) })
	}
}

// closed reports whether close has been called.
func (g *gate) closed() bool {
	return g.calls.Load() < 0
}

// close refuses every later enter. It reports whether this call was the first.
// drained is closed once every call that had entered has left.
func (g *gate) close() bool {
	for {
		n := g.calls.Load()
		if n < 0 {
			return false
		}
		if g.calls.CompareAndSwap(n, n+closedBias) {
			if n == 0 {
				g.once.Do(func() { close(g.drained) })
			}
			return true
		}
	}
}
