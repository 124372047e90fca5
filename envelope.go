package tracing

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// envelope is what the producer keeps of a message until its delivery report. It
// travels in the message's Opaque: a report is a new message, without headers,
// and Opaque is the one thing that the client carries over to it.
type envelope struct {
	owner *TracedProducer
	state atomic.Uint32

	ctx    context.Context // of the span, for exemplars
	span   trace.Span      // nil for a message that the filter left out
	start  time.Time       // zero if nothing is measured
	target *target
	opaque any              // the application's
	report chan kafka.Event // where the report goes; nil: Events()
	drop   bool             // no report is wanted (go.delivery.reports=false)
	waited bool             // Send waits for the report, whatever it tells
	next   *envelope        // in the free list
}

const (
	envelopeIdle     uint32 = iota // the client does not have the message
	envelopeInFlight               // the client owes a report
	envelopeSettled                // the report is in, or given up
)

// settle claims the right to end the envelope's span. Exactly one caller gets it
// for each time that the envelope is in flight: the report, or Close.
func (e *envelope) settle() bool {
	return e.state.CompareAndSwap(envelopeInFlight, envelopeSettled)
}

// envelopes are all the envelopes of a producer: those in use, to end their
// spans at Close, and a free list of the others, so that a message allocates
// none. What a burst needed is kept for the next one.
type envelopes struct {
	mu   sync.Mutex
	free *envelope
	all  [][]envelope
}

const envelopesAtOnce = 64

func (es *envelopes) get() *envelope {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.free == nil {
		block := make([]envelope, envelopesAtOnce)
		for i := range block {
			block[i].next = es.free
			es.free = &block[i]
		}
		es.all = append(es.all, block)
	}
	e := es.free
	es.free, e.next = e.next, nil
	return e
}

// put takes an envelope back, without what it referred to.
func (es *envelopes) put(e *envelope) {
	e.ctx, e.span, e.start, e.target = nil, nil, time.Time{}, nil
	e.opaque, e.report, e.drop, e.waited = nil, nil, false, false
	e.state.Store(envelopeIdle)
	es.mu.Lock()
	defer es.mu.Unlock()
	e.next, es.free = es.free, e
}

// inFlight calls f for every envelope whose report is still owed.
func (es *envelopes) inFlight(f func(*envelope)) {
	es.mu.Lock()
	blocks := es.all
	es.mu.Unlock()
	for _, block := range blocks {
		for i := range block {
			if block[i].state.Load() == envelopeInFlight {
				f(&block[i])
			}
		}
	}
}
