package differential

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// settle waits until the channels hold what they should, and the client has nothing else. wire and outstanding are -1
// where they are not known.
func (p *producerPlayer) settle(lens []int, wire, outstanding int) {
	p.eventually(func() bool { return p.arrived(lens) }, "%d reports in the channels", lens)
	if wire >= 0 {
		p.eventually(func() bool { return p.high() == wire }, "%d messages on the wire", wire)
	}
	if outstanding >= 0 {
		p.eventually(func() bool { return p.client.Len() == outstanding }, "%d outstanding", outstanding)
	}
	p.wantLens(lens)
}

// arrived reports whether the channels hold as many reports as that, or more.
func (p *producerPlayer) arrived(lens []int) bool {
	for i, n := range lens {
		if len(p.channels[i]) < n {
			return false
		}
	}
	return true
}

func (p *producerPlayer) wantLens(lens []int) {
	for i, n := range lens {
		if i == 0 && !p.sharesCluster() {
			continue // among the client's own events
		}
		got := len(p.channels[i])
		p.see("%d in channel %d", got, i)
		if got != n {
			p.fault("%d reports in channel %d, not %d", got, i, n)
		}
	}
}

// high returns how many messages the broker has.
func (p *producerPlayer) high() int {
	n := 0
	for partition := range p.partitions {
		_, high, err := p.client.QueryWatermarkOffsets(p.topic, int32(partition), int(patience.Milliseconds()))
		if err != nil {
			p.stop("watermarks: %v", err)
		}
		n += int(high)
	}
	return n
}

func (p *producerPlayer) watermarks(next []kafka.Offset) {
	for partition, want := range next {
		low, high, err := p.client.QueryWatermarkOffsets(p.topic, int32(partition), int(patience.Milliseconds()))
		p.see("partition %d: %d %d %s", partition, low, high, describe(err))
		if high != int64(want) {
			p.fault("partition %d ends at %d, not %d", partition, high, want)
		}
	}
}

// flush flushes until only what waits in Events() is outstanding.
func (p *producerPlayer) flush(lens []int) {
	if lens[0] == 0 {
		n := p.client.Flush(int(patience.Milliseconds()))
		p.see("%d", n)
		if n != 0 {
			p.fault("%d, not 0", n)
		}
	} else {
		// It returns when its time is over, and what is outstanding then may be something else.
		p.eventually(func() bool { return p.client.Flush(20) == lens[0] && p.arrived(lens) }, "flush returns %d", lens[0])
	}
	p.wantLens(lens)
}

// replace closes a channel, as an application may after a Flush that returned 0, and makes another in its place.
func (p *producerPlayer) replace(i int, want []*attempt, ordered bool, capacity int) {
	close(p.channels[i])
	var left []*kafka.Message
	for event := range p.channels[i] {
		if msg, ok := event.(*kafka.Message); ok {
			left = append(left, msg)
		}
	}
	p.checkReports(i, left, want, ordered)
	p.channels[i] = make(chan kafka.Event, capacity)
}

// raiseFatal raises a fatal error, which is an event as well.
func (p *producerPlayer) raiseFatal() {
	p.see("%v", p.client.TestFatalError(kafka.ErrOutOfOrderSequenceNumber, "the sequence is broken"))
	p.see("%s", describe(p.ownEvent()))
}

// ownEvent receives the client's next error from Events().
func (p *producerPlayer) ownEvent() kafka.Error {
	var found kafka.Error
	p.eventually(func() bool {
		select {
		case event, ok := <-p.channels[0]:
			if !ok {
				p.stop("Events() is closed")
			}
			found, ok = event.(kafka.Error)
			if !ok {
				p.stop("%T %v in Events()", event, event)
			}
			return true
		default:
			return false
		}
	}, "an error in Events()")
	return found
}

// brokerDown makes the broker unreachable and waits until the client knows.
func (p *producerPlayer) brokerDown() {
	for len(p.channels[0]) > 0 {
		_ = p.ownEvent() // of an earlier outage
	}
	if err := p.cluster.mock.SetBrokerDown(-1); err != nil {
		p.stop("broker down: %v", err)
	}
	_ = p.ownEvent()
}

// brokerUp makes it reachable and waits until the client has reached it.
func (p *producerPlayer) brokerUp() {
	if err := p.cluster.mock.SetBrokerUp(-1); err != nil {
		p.stop("broker up: %v", err)
	}
	p.eventually(func() bool {
		_, err := p.client.GetMetadata(&p.topic, false, 1000)
		return err == nil
	}, "the broker is reached")
}
