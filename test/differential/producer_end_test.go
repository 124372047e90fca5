package differential

import (
	"context"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// ending is what is known when the producer is closed.
type ending struct {
	channels []deliveryChannel // with what is left in them
	ordered  bool
	down     bool // the broker is
	certain  bool // nothing was on its way: what is in the channels, and on the wire, is known exactly
	reported bool // and no report was waiting for room
	attempts []*attempt
}

// end closes the producer, most often after all has settled, and calls what may be called afterwards.
func (a *producerAuthor) end(t *rapid.T) {
	if a.down && a.outage && rapid.Bool().Draw(t, "up again") && (a.ordered() || a.fits()) {
		a.brokerUp(t)
	}
	abrupt := rapid.IntRange(0, 3).Draw(t, "abrupt") == 0
	if !abrupt {
		if n := len(a.channels[0].waiting); n > 0 && !a.sharesCluster() {
			a.writeRead(0, n)
		}
		a.writeSettle()
	}
	e := ending{
		channels: append([]deliveryChannel(nil), a.channels...),
		ordered:  a.ordered(),
		down:     a.down,
		certain:  a.arrived(),
		reported: a.arrived() && len(a.coming) == 0,
		attempts: a.attempts,
	}
	a.write("close", func(p *producerPlayer) { p.close(e) })
	a.write("call when closed", func(p *producerPlayer) { p.callClosed() })
	a.write("read back", func(p *producerPlayer) { p.readBack(e) })
	a.write("look at spans", func(p *producerPlayer) { p.checkSpans(e) })
}

// close closes the producer and looks what is left in the channels.
func (p *producerPlayer) close(e ending) {
	p.client.Close()
	p.checkMessages()
	for i, ch := range p.channels {
		var left []*kafka.Message
		open := true
		for open {
			select {
			case event, ok := <-ch:
				if msg, isReport := event.(*kafka.Message); isReport {
					left = append(left, msg)
				}
				open = ok
			default:
				open = false
				if i == 0 {
					p.fault("Events() is open")
				}
			}
		}
		want := e.channels[i].waiting
		if e.certain {
			p.checkReports(i, left, want, e.ordered && !e.channels[i].loose)
		} else {
			p.checkSome(i, left, e.attempts)
		}
	}
}

// checkSome checks reports of which some may be lost: none is invented and none is there twice.
func (p *producerPlayer) checkSome(channel int, got []*kafka.Message, attempts []*attempt) {
	owed := map[int]int{}
	for _, a := range attempts {
		comes := !a.silent
		if a.code != kafka.ErrNoError { // refused: it comes back out of ProduceChannel only
			comes = a.through
		}
		if comes && a.channel == channel {
			owed[a.origin().n]++
		}
	}
	for _, msg := range got {
		n := p.numberOfReport(msg)
		if owed[n]--; owed[n] < 0 {
			p.fault("channel %d: a report that nobody is owed: %s", channel, p.render(msg))
		}
	}
}

// callClosed calls everything that does not end the process with the raw client.
func (p *producerPlayer) callClosed() {
	c, ctx, topic := p.client, context.Background(), p.topic
	p.see("closed %t", c.IsClosed())
	p.see("produce %s", describe(c.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}}, p.channels[1])))
	p.see("produce nil %s", describe(c.Produce(nil, nil)))
	p.see("purge %s", describe(c.Purge(kafka.PurgeQueue)))
	p.see("fatal %s", describe(c.GetFatalError()))
	metadata, err := c.GetMetadata(&topic, false, 1)
	p.see("metadata %v %s", metadata, describe(err))
	low, high, err := c.QueryWatermarkOffsets(topic, 0, 1)
	p.see("watermarks %d %d %s", low, high, describe(err))
	times, err := c.OffsetsForTimes([]kafka.TopicPartition{{Topic: &topic}}, 1)
	p.see("offsets for times %v %s", times, describe(err))
	p.see("init %s", describe(c.InitTransactions(ctx)))
	p.see("begin %s", describe(c.BeginTransaction()))
	p.see("send offsets %s", describe(c.SendOffsetsToTransaction(ctx, nil, nil)))
	p.see("commit %s", describe(c.CommitTransaction(ctx)))
	p.see("abort %s", describe(c.AbortTransaction(ctx)))
	_, open := <-c.Events()
	p.see("events open %t", open)
	_, open = <-c.ProduceChannel()
	p.see("produce channel open %t", open)
	c.Close()
	p.see("closed %t", c.IsClosed())
}
