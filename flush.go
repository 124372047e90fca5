package tracing

import "time"

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
// not hang when nobody reads Events() or a delivery channel. With 0 or less it
// returns at once. It returns early when Close begins; called after that it waits
// for Close to finish, within its timeout, and returns at least 1 if that is too
// short.
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
			p.flushClient(min(left, flushSlice))
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

// flushClient has the client flush for a while. The client's own call also hands events
// over, and hangs where the forwarder does not take them because a span processor
// blocks: so nobody waits for it much longer than asked for. Usually it returns in
// time; were it still under way when Flush returns, it would be a second poller beside
// the client's own, and reports might change their order. One is under way at a time.
func (p *TracedProducer) flushClient(d time.Duration) {
	flushed := make(chan struct{})
	if p.flushing.CompareAndSwap(false, true) {
		if !p.gate.enter() {
			return // closing, as the caller sees next
		}
		go func() {
			defer close(flushed)
			defer p.gate.leave()
			defer p.flushing.Store(false)
			p.Producer.Flush(int(d.Milliseconds()))
		}()
	}
	select {
	case <-flushed:
	case <-time.After(d + closedCheck):
	case <-p.closing:
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
