package tracing

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// propagator is a propagator together with the header names that it owns.
type propagator struct {
	propagation.TextMapPropagator
	fields []string
	off    bool // it does nothing
}

func newPropagator(p propagation.TextMapPropagator) *propagator {
	return &propagator{TextMapPropagator: p, fields: p.Fields(), off: propagatesNothing(p)}
}

// noPropagator is the propagator of [WithoutPropagation]. It is known by its type:
// an application's own may list no fields and propagate all the same.
type noPropagator struct{}

func (noPropagator) Inject(context.Context, propagation.TextMapCarrier) {}

func (noPropagator) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}

func (noPropagator) Fields() []string { return nil }

func propagatesNothing(p propagation.TextMapPropagator) bool {
	_, nothing := p.(noPropagator)
	return nothing
}

// owns reports whether key is one of the propagator's header names.
func (p *propagator) owns(key string) bool {
	for _, f := range p.fields {
		if f == key {
			return true
		}
	}
	return false
}

// globalPropagator is the application's global propagator once it has set one,
// and W3C Trace Context and Baggage until then: OpenTelemetry Go propagates
// nothing out of the box, which would leave a drop-in user with two half traces.
type globalPropagator struct {
	set    atomic.Pointer[propagator]
	global propagation.TextMapPropagator
	unset  bool // global is OpenTelemetry's delegate, so long as nothing has replaced it
}

// w3c is what is used while the application has not set a global propagator.
var w3c = newPropagator(propagation.NewCompositeTextMapPropagator(
	propagation.TraceContext{}, propagation.Baggage{}))

func newGlobalPropagator() *globalPropagator {
	// Before the application has set one this is a delegate, which later passes
	// everything on to the one that was set.
	g := &globalPropagator{global: otel.GetTextMapPropagator()}
	g.unset = len(g.global.Fields()) == 0 && reflect.TypeOf(g.global).Kind() == reflect.Pointer
	return g
}

func (g *globalPropagator) current() *propagator {
	if p := g.set.Load(); p != nil {
		return p
	}
	if g.unset && otel.GetTextMapPropagator() == g.global {
		return w3c // asking the delegate for its fields takes a lock
	}
	if len(g.global.Fields()) == 0 {
		return w3c
	}
	p := newPropagator(g.global)
	g.set.Store(p)
	return p
}

// outgoing is the message that is handed to the client in place of the
// application's, which is never written to: same key, value and headers, but
// with the propagation headers of the publish span and, in Opaque, the envelope.
// The client copies all of it before Produce returns, so the memory is reused.
type outgoing struct {
	msg     kafka.Message
	headers []kafka.Header
	values  []byte // of the injected headers
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

func newOutgoing(msg *kafka.Message) *outgoing {
	o := outgoings.Get().(*outgoing)
	o.msg = *msg
	return o
}

// inject puts the context into the headers of the copy, in place of every field
// of p that a previous hop left there: a stale tracestate or baggage must not
// survive. Other headers keep their order and their duplicates.
func (o *outgoing) inject(ctx context.Context, p *propagator) {
	if p.off {
		return
	}
	for _, h := range o.msg.Headers {
		if !p.owns(h.Key) {
			o.headers = append(o.headers, h)
		}
	}
	p.Inject(ctx, o)
	o.msg.Headers = o.headers
}

// release gives the memory back. Nothing that the message referred to is kept.
func (o *outgoing) release() {
	o.msg = kafka.Message{}
	clear(o.headers)
	o.headers = o.headers[:0]
	o.values = o.values[:0]
	// A message with thousands of headers is no reason to keep that memory.
	if cap(o.headers) > 256 || cap(o.values) > 16<<10 {
		return
	}
	outgoings.Put(o)
}

// Get implements [propagation.TextMapCarrier].
func (o *outgoing) Get(key string) string { return lastHeader(o.headers, key) }

// Keys implements [propagation.TextMapCarrier].
func (o *outgoing) Keys() []string { return headerKeys(o.headers) }

// Set implements [propagation.TextMapCarrier].
func (o *outgoing) Set(key, value string) {
	from := len(o.values)
	o.values = append(o.values, value...)
	header := kafka.Header{Key: key, Value: o.values[from:len(o.values):len(o.values)]}
	// A propagator may set a field that it does not list, or one twice.
	kept := o.headers[:0]
	for _, h := range o.headers {
		if h.Key != key {
			kept = append(kept, h)
		}
	}
	kept = append(kept, header)
	o.headers = kept
}

// received is what this library leaves in the Opaque of a consumed message: the
// context of its receive span, for whoever processes or forwards the message.
type received struct {
	span trace.SpanContext
	carried

	// batch is the receive span of the message's batch, the same for all of them;
	// span is the creation context then, since a batch is no message's child.
	batch *trace.SpanContext
}

// carried is what the headers of a message carry. They are read once, when the
// message is received, although its context is needed again and again.
type carried struct {
	ctx        context.Context // the background with it
	headers    []kafka.Header
	propagator *propagator
}

func readCarried(msg *kafka.Message, p *propagator) carried {
	return carried{ctx: extract(context.Background(), msg, p), headers: msg.Headers, propagator: p}
}

// onto returns ctx with what msg carries, which wins over what ctx has.
func (c *carried) onto(ctx context.Context, msg *kafka.Message) context.Context {
	if !sameSlice(msg.Headers, c.headers) {
		return extract(ctx, msg, c.propagator) // the application has set others
	}
	switch context.Background() {
	case c.ctx:
		return ctx
	case ctx:
		return c.ctx
	}
	return layered{Context: ctx, over: c.ctx}
}

func sameSlice(a, b []kafka.Header) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// layered is a context with the values of another over its own.
type layered struct {
	context.Context
	over context.Context
}

func (l layered) Value(key any) any {
	if v := l.over.Value(key); v != nil {
		return v
	}
	return l.Context.Value(key)
}

// ContextFromMessage returns ctx with the context in which to continue the work
// on a consumed message: the message's receive span, if this library received it
// by itself, else what the message's headers carry. ctx keeps everything else,
// such as its deadline; where the message carries no readable context ctx is
// returned as it is.
//
// The receive span's context travels in msg.Opaque. An application that sets
// Opaque itself continues from the headers, read with the global propagator (W3C
// Trace Context and Baggage while the application has set none). A nil ctx
// counts as [context.Background], a nil msg as one without a context. Safe for
// concurrent use, as long as nobody writes to msg.
func ContextFromMessage(ctx context.Context, msg *kafka.Message) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	if msg == nil {
		return ctx
	}
	if r, ok := msg.Opaque.(*received); ok {
		return r.context(ctx, msg)
	}
	return extract(ctx, msg, newGlobalPropagator().current())
}

// context returns ctx with the receive span's context and with whatever else the
// propagator reads from the headers (baggage, for instance).
func (r *received) context(ctx context.Context, msg *kafka.Message) context.Context {
	ctx = r.onto(ctx, msg)
	if !r.span.IsValid() {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, r.span)
}

func extract(ctx context.Context, msg *kafka.Message, p *propagator) context.Context {
	if len(msg.Headers) == 0 || p.off {
		return ctx
	}
	return p.Extract(ctx, MessageCarrier{msg: msg})
}

// publishContext returns the context whose span is the parent of a publish span:
// that of ctx; else, for a consumed message that is being forwarded, its receive
// span; else what the message's headers carry; else none. Baggage of ctx wins
// over that of the message, and travels even without a span.
func publishContext(ctx context.Context, msg *kafka.Message, p *propagator) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var continued context.Context
	if r, ok := msg.Opaque.(*received); ok {
		continued = r.context(ctx, msg)
	} else if len(msg.Headers) > 0 {
		continued = extract(ctx, msg, p)
	} else {
		return ctx
	}
	if bag := baggage.FromContext(ctx); bag.Len() > 0 {
		return baggage.ContextWithBaggage(continued, bag)
	}
	return continued
}
