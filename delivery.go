package tracing

import (
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// forwarder takes every event of the client, in the client's order, ends the
// span of what is a delivery report, and passes the event on to where the raw
// client would have put it. There is one for each producer. Like the client's
// own poller it waits while the application does not read: that is what makes a
// slow reader slow the producer down in the end, instead of filling memory.
//
// All messages have the client's own Events() as their delivery channel, so that
// one receive serves reports and other events alike.
type forwarder struct {
	p     *TracedProducer
	attrs *attributeBuffer

	// While a Flush is under way the forwarder goes on taking events although
	// the application does not read: the client's Flush would hang otherwise.
	flushes atomic.Int32
	flush   chan struct{} // a Flush has begun

	check     *time.Ticker // runs while the application does not read
	queue     []delivery   // taken meanwhile, behind the one that waits
	exhausted bool         // the client's channel is closed
	abandoned bool         // closing, and the application does not read
}

// delivery is an event on its way to the application.
type delivery struct {
	event kafka.Event
	to    chan kafka.Event
	owner *TracedProducer // counts it as held; nil if nobody does
}

// closedCheck is how often the forwarder, while the application does not read,
// looks whether the application has closed the embedded client instead.
const closedCheck = 100 * time.Millisecond

func (f *forwarder) init(p *TracedProducer) {
	f.p = p
	f.attrs = newAttributeBuffer()
	f.flush = make(chan struct{}, 1)
	f.check = time.NewTicker(closedCheck)
	f.check.Stop()
}

// run ends when the client closes its channel, be it through our Close or
// through the embedded client's.
func (f *forwarder) run() {
	defer close(f.p.done)
	for event := range f.p.Producer.Events() {
		f.forward(f.take(event))
	}
	f.p.shutDown()
	f.p.envelopes.inFlight(func(env *envelope) {
		if env.settle() {
			f.p.endAbandoned(env)
		}
	})
	f.p.stats.close()
	close(f.p.events)
}

// take ends the span of a report and tells where the event goes.
func (f *forwarder) take(event kafka.Event) delivery {
	msg, ok := event.(*kafka.Message)
	if !ok {
		if f.p.stats.take(event) {
			return delivery{}
		}
		return delivery{event: event, to: f.p.events}
	}
	switch opaque := msg.Opaque.(type) {
	case *envelope:
		return f.takeReport(msg, opaque)
	case *handedOver: // refused by the client's batch producer
		msg.Opaque = opaque.opaque
		return delivery{event: msg, to: f.p.events}
	}
	// Not sent through us, or through the batch producer, which drops Opaque.
	if !f.p.deliveryReports || f.p.leavesOut(msg) {
		return delivery{}
	}
	return delivery{event: msg, to: f.p.events}
}

func (f *forwarder) takeReport(msg *kafka.Message, env *envelope) delivery {
	// With two wrappers on one client the envelope may be the other one's.
	owner := env.owner
	d := delivery{event: msg, to: env.report, owner: owner}
	if d.to == nil {
		d.to = f.p.events
	}
	if env.drop || owner.leavesOut(msg) {
		d.to = nil
	}
	msg.Opaque = env.opaque
	if env.settle() {
		owner.endPublish(env, msg.TopicPartition, f.attrs)
		owner.envelopes.put(env)
	}
	return d
}

// leavesOut tells a report that delivery.report.only.error keeps back.
func (c *config) leavesOut(report *kafka.Message) bool {
	return c.onlyErrors && report.TopicPartition.Error == nil
}

// forward passes an event on, and waits until the application takes it.
func (f *forwarder) forward(d delivery) {
	defer f.survive()
	if d.to == nil || f.abandoned {
		f.forwarded(d)
		return
	}
	select {
	case d.to <- d.event:
		f.forwarded(d)
	default:
		f.wait(d)
	}
}

// survive is for an application that closes the embedded client, which sends
// nothing more after that, and then its delivery channels. Otherwise a closed
// channel is the application's mistake, on which the raw client panics too.
func (f *forwarder) survive() {
	if r := recover(); r != nil {
		if !f.p.Producer.IsClosed() {
			panic(r)
		}
		f.abandoned = true
		f.queue = nil
	}
}

func (f *forwarder) forwarded(d delivery) {
	if d.owner != nil {
		d.owner.held.Add(-1)
	}
}

// wait is where the forwarder is while the application does not read. It returns
// once everything that it has taken is passed on, or given up.
func (f *forwarder) wait(d delivery) {
	f.check.Reset(closedCheck)
	defer f.check.Stop()
	for {
		var more <-chan kafka.Event
		if f.flushes.Load() > 0 && !f.exhausted {
			more = f.p.Producer.Events()
		}
		select {
		case d.to <- d.event:
			f.forwarded(d)
			if len(f.queue) == 0 {
				f.queue = nil
				return
			}
			d, f.queue[0] = f.queue[0], delivery{}
			f.queue = f.queue[1:]
		case event, ok := <-more:
			if !ok {
				f.exhausted = true
			} else if next := f.take(event); next.to != nil {
				f.queue = append(f.queue, next)
			} else {
				f.forwarded(next)
			}
		case <-f.flush:
		case <-f.check.C:
			if f.p.Producer.IsClosed() {
				f.abandon(d)
				return
			}
		case <-f.p.closing:
			f.abandon(d)
			return
		}
	}
}

// abandon gives up forwarding: the producer is being closed and the application
// does not read. The raw client loses these reports likewise; spans have ended.
// What comes after the first lost report is not passed on either, or reports
// would seem to be out of order.
func (f *forwarder) abandon(d delivery) {
	f.abandoned = true
	f.forwarded(d)
	for _, d := range f.queue {
		f.forwarded(d)
	}
	f.queue = nil
}

// Len returns how many messages and requests wait for the broker, and how many
// delivery reports wait for the application: those still to be forwarded to a
// delivery channel and those unread in Events(). 0 once Close has begun.
func (p *TracedProducer) Len() int {
	if !p.gate.enter() {
		return 0
	}
	defer p.gate.leave()
	return p.outstanding()
}

func (p *TracedProducer) outstanding() int {
	if p.disabled {
		return p.rawLen()
	}
	// In the order in which a message moves, or one on the move would be missed.
	waiting := p.channel.len()
	// The client counts a message until its report is in the client's channel;
	// we count those that went through us until the report is forwarded.
	n := p.rawLen()
	held := int(p.held.Load())
	return waiting + max(n, held) + len(p.events)
}

// rawLen asks the client, which must not be asked once it is destroyed.
func (p *TracedProducer) rawLen() int {
	if p.Producer.IsClosed() {
		return 0
	}
	return p.Producer.Len()
}

// flushSlice is how long one call into the client's Flush lasts. It is short
// because that call sits it out when the client's poller takes the last report
// before it, and so that Close need not wait for a long one.
const flushSlice = 10 * time.Millisecond

// Flush waits until every message is delivered or has failed, every report is
// forwarded, and Events() is read, or until timeoutMs milliseconds have passed.
// It returns what is still outstanding, as [TracedProducer.Len] counts it.
//
// After a return of 0 nothing more is sent to the delivery channels of messages
// produced before, so that they may be closed. Unlike the client's own, it does
// not hang when nobody reads Events() or a delivery channel. It returns early
// when Close begins; called after that, it waits for Close to finish.
func (p *TracedProducer) Flush(timeoutMs int) int {
	deadline := time.Now().Add(time.Duration(timeoutMs) * time.Millisecond)
	if !p.gate.enter() {
		return p.flushClosing(time.Until(deadline))
	}
	defer p.gate.leave()
	defer p.forwarder.flushing()()
	pause := time.Millisecond
	for {
		n := p.outstanding()
		left := time.Until(deadline).Truncate(time.Millisecond)
		if n == 0 || left <= 0 || p.gate.closed() {
			return n
		}
		if p.rawLen() > 0 {
			p.Producer.Flush(int(min(left, flushSlice).Milliseconds()))
			continue
		}
		// The client is done; now it is for the application to read.
		select {
		case <-time.After(min(pause, left)):
			pause = min(2*pause, 10*time.Millisecond)
		case <-p.closing:
		}
	}
}

// flushClosing is Flush once Close has begun. Until that is done the forwarder
// may still send to delivery channels, so 0 would be a lie.
func (p *TracedProducer) flushClosing(left time.Duration) int {
	timer := time.NewTimer(max(left, 0))
	defer timer.Stop()
	select {
	case <-p.done:
		return 0
	case <-timer.C:
	}
	select {
	case <-p.done:
		return 0
	default:
		return max(1, int(p.held.Load()))
	}
}

// flushing tells the forwarder that a Flush is under way, until the function that
// it returns is called.
func (f *forwarder) flushing() (done func()) {
	f.flushes.Add(1)
	select {
	case f.flush <- struct{}{}:
	default: // it has yet to see the last one
	}
	return func() { f.flushes.Add(-1) }
}

// Close closes the producer as the client does: messages that are still under way
// are lost, so Flush first. Their spans end with an error, error.type _DESTROY.
// Reports that the application has not read are lost as well, other than those in
// the buffers of their channels. Events() is closed.
//
// When it returns every span has ended and no goroutine is left. It may be called
// more than once, and while other methods run: they return, with kafka.ErrState
// where they return an error.
func (p *TracedProducer) Close() {
	first := p.shutDown()
	p.Producer.Close()
	if first && p.disabled { // else the forwarder does that
		close(p.done)
	}
	<-p.done
}

// shutDown keeps new calls out and waits for those that are in. The client may
// be destroyed afterwards. It reports whether this call was the first.
func (p *TracedProducer) shutDown() bool {
	first := p.gate.close()
	if first {
		close(p.closing)
	}
	<-p.gate.drained
	p.channel.stop()
	return first
}

// endAbandoned ends the span of a message whose outcome nobody will ever learn.
func (p *TracedProducer) endAbandoned(env *envelope) {
	p.endPublish(env, kafka.TopicPartition{
		Partition: unknownPartition,
		Offset:    kafka.OffsetInvalid,
		Error:     errAbandoned(),
	}, p.forwarder.attrs)
}

func errAbandoned() error {
	return kafka.NewError(kafka.ErrDestroy, "producer closed before the delivery report", false)
}
