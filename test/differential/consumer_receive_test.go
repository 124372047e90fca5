package differential

import (
	"fmt"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// receive receives messages until there are as many as are wanted, by partition, and checks them. first are their
// first offsets.
func (p *consumerPlayer) receive(way string, first map[int]int, want map[int][]*content) {
	missing := 0
	for _, list := range want {
		missing += len(list)
	}
	got := map[int][]*kafka.Message{}
	p.eventually(func() bool {
		for ; missing > 0; missing-- {
			msg := p.next(way)
			if msg == nil {
				return false
			}
			i := int(msg.TopicPartition.Partition)
			got[i] = append(got[i], msg)
			p.last[i] = msg
		}
		return true
	}, "the messages are received")
	for i := range p.partitions {
		p.checkMessages(got[i], first[i], want[i])
	}
}

// next returns the next message, or nil if there is none for a while. What else comes is noted.
func (p *consumerPlayer) next(way string) *kafka.Message {
	if len(p.early) > 0 {
		msg := p.early[0]
		p.early = p.early[1:]
		return msg
	}
	var event kafka.Event
	switch way {
	case "Poll":
		event = p.client.Poll(int(patience.Milliseconds()))
	case "Poll endlessly":
		event = p.client.Poll(-1)
	case "Poll briefly":
		event = p.client.Poll(2)
	case "ReadMessage":
		event = p.readMessage(patience)
	case "ReadMessage endlessly":
		event = p.readMessage(-1)
	case "ReadMessage briefly":
		event = p.readMessage(2 * time.Millisecond)
	case "Events":
		select {
		case e, ok := <-p.client.Events():
			if !ok {
				p.stop("Events() is closed")
			}
			event = e
		default:
		}
	}
	return p.take(event)
}

// readMessage calls ReadMessage; nil if its time was over.
func (p *consumerPlayer) readMessage(timeout time.Duration) kafka.Event {
	msg, err := p.client.ReadMessage(timeout)
	if msg != nil {
		if err != nil {
			p.fault("ReadMessage: %v", err)
		}
		return msg
	}
	e, ok := err.(kafka.Error)
	if !ok {
		p.stop("ReadMessage: %v", err)
	}
	if e.Code() == kafka.ErrTimedOut {
		return nil
	}
	return e
}

// take returns the event if it is a message, and notes others.
func (p *consumerPlayer) take(event kafka.Event) *kafka.Message {
	switch e := event.(type) {
	case nil:
	case *kafka.Message:
		return e
	case kafka.PartitionEOF:
		p.ends[int(e.Partition)] = int(e.Offset)
	case kafka.Error:
		if !p.outage {
			p.see("%s", describe(e))
		}
	default:
		p.see("%T %v", event, event)
	}
	return nil
}

// reachEnds waits until the ends of partitions are told, each at its offset. Others, before what was filled in since,
// may be told or not.
func (p *consumerPlayer) reachEnds(ends map[int]int) {
	way := "Poll briefly"
	if p.channel {
		way = "Events"
	}
	p.eventually(func() bool {
		for i, end := range ends {
			if at, told := p.ends[i]; !told || at != end {
				if msg := p.next(way); msg != nil {
					p.fault("another message: %s", p.render(msg, nil))
				}
				return false
			}
		}
		return true
	}, "ends %v", ends)
	clear(p.ends)
}

// idle receives when there is nothing to receive.
func (p *consumerPlayer) idle(timeout int, reads bool) {
	switch {
	case p.channel:
		p.see("%d in Events()", len(p.client.Events()))
	case p.outage: // the client's own errors may come
		if msg := p.take(p.client.Poll(timeout)); msg != nil {
			p.fault("a message: %s", p.render(msg, nil))
		}
	case reads:
		msg, err := p.client.ReadMessage(time.Duration(timeout) * time.Millisecond)
		p.see("%v", msg)
		p.answered(err, kafka.ErrTimedOut)
	default:
		event := p.client.Poll(timeout)
		p.see("%T %v", event, event)
		if event != nil {
			p.fault("%v", event)
		}
	}
}

// checkMessages compares messages of a partition with what was filled in.
func (p *consumerPlayer) checkMessages(got []*kafka.Message, first int, want []*content) {
	p.received = append(p.received, got...)
	for i, msg := range got {
		if i >= len(want) {
			p.fault("another message: %s", p.render(msg, nil))
			continue
		}
		p.see("%s", p.render(msg, want[i]))
		sent := want[i].message(p.topic, newTemplate())
		sent.TopicPartition = msg.TopicPartition
		sent.TopicPartition.Topic, sent.TopicPartition.Offset, sent.TopicPartition.Error = &p.topic, kafka.Offset(first+i), nil
		sent.TimestampType, sent.LeaderEpoch = kafka.TimestampCreateTime, msg.LeaderEpoch
		if len(sent.Headers) == 0 {
			sent.Headers = nil
		}
		if is, was := p.render(msg, want[i]), p.render(sent, want[i]); is != was {
			p.fault("message\n\t\t%s\n\tnot\n\t\t%s", is, was)
		}
		p.checkContext(msg)
	}
}

// render renders all of a message but Opaque, and its timestamp if the broker's client chose it.
func (p *consumerPlayer) render(msg *kafka.Message, c *content) string {
	timestamp := fmt.Sprint(msg.TimestampType)
	if c != nil && c.timestamp {
		timestamp += fmt.Sprintf(" %d", msg.Timestamp.UnixMilli())
	}
	epoch := "nil"
	if msg.LeaderEpoch != nil {
		epoch = fmt.Sprint(*msg.LeaderEpoch)
	}
	return fmt.Sprintf("%s key=%s value=%s headers=%t %s timestamp=%s epoch=%s", p.list([]kafka.TopicPartition{msg.TopicPartition}),
		quote(msg.Key), quote(msg.Value), msg.Headers == nil, quoteHeaders(msg.Headers), timestamp, epoch)
}

// ask asks the client for something.
func (p *consumerPlayer) ask(what string, logs []partitionLog) {
	patience := int(patience.Milliseconds())
	switch what {
	case "committed":
		offsets, err := p.client.Committed(p.all(), patience)
		p.see("%s %s", p.list(offsets), describe(err))
		p.wantCommitted(offsets, logs)
	case "position":
		offsets, err := p.client.Position(p.all())
		p.see("%s %s", p.list(offsets), describe(err))
	case "assignment":
		assignment, err := p.client.Assignment()
		slices.SortFunc(assignment, func(a, b kafka.TopicPartition) int { return int(a.Partition - b.Partition) })
		p.see("%s %s", p.list(assignment), describe(err))
	case "subscription":
		subscription, err := p.client.Subscription()
		p.see("%d %s", len(subscription), describe(err))
	case "watermarks":
		for i := range p.partitions {
			low, high, err := p.client.QueryWatermarkOffsets(p.topic, int32(i), patience)
			p.see("%d %d %s", low, high, describe(err))
			if int(high) != len(logs[i].messages) {
				p.fault("partition %d ends at %d, not %d", i, high, len(logs[i].messages))
			}
		}
	}
}
