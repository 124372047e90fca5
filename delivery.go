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
	p        *TracedProducer
	outcomes outcomes

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
			f.outcomes.end(env, abandoned())
		}
	})
	f.outcomes.flush()
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
	if env, ok := msg.Opaque.(*envelope); ok {
		return f.takeReport(msg, env)
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
	if env.drop || owner.leavesOut(msg) && !env.waited {
		d.to = nil
	}
	msg.Opaque = env.opaque
	if env.settle() {
		f.outcomes.end(env, msg.TopicPartition)
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
	if len(f.p.Producer.Events()) == 0 {
		f.outcomes.flush() // there may be nothing more for long
	}
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
		f.outcomes.flush()
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

// Close closes the producer as the client does: messages that are still under way
// are lost, so Flush first. Their spans end with an error, error.type _DESTROY.
// Reports that the application has not read are lost as well, other than those in
// the buffers of their channels. Events() is closed.
//
// When it returns every span has ended and no goroutine is left. So it waits for
// span processors and for callbacks given by option, and must not be called from
// one. It also waits for transaction calls, which their ctx bounds, for queries of
// the broker, which have timeouts, and with go.batch.producer for room in the
// local queue. It may be called more than once, and while other methods run: they
// return, with kafka.ErrState where they return an error.
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

// abandoned is the outcome of a message of which nobody will ever learn more.
func abandoned() kafka.TopicPartition {
	return kafka.TopicPartition{
		Partition: unknownPartition,
		Offset:    kafka.OffsetInvalid,
		Error:     errAbandoned(),
	}
}

func errAbandoned() error {
	return kafka.NewError(kafka.ErrDestroy, "producer closed before the delivery report", false)
}
