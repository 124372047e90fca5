package differential

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// readTopic reads all messages of a topic, at least as many as are expected, by partition and offset.
func (p *player) readTopic(of *cluster, topic string, partitions, atLeast int) []*kafka.Message {
	conf := of.config(kafka.ConfigMap{
		"group.id": "reader", "enable.auto.commit": false, "enable.partition.eof": true, "fetch.wait.max.ms": 10,
	})
	c, err := kafka.NewConsumer(&conf)
	if err != nil {
		p.stop("reader: %v", err)
	}
	defer func() { _ = c.Close() }()
	assignment := make([]kafka.TopicPartition, partitions)
	for i := range assignment {
		assignment[i] = kafka.TopicPartition{Topic: &topic, Partition: int32(i), Offset: 0}
	}
	if err := c.Assign(assignment); err != nil {
		p.stop("reader: %v", err)
	}
	var msgs []*kafka.Message
	ended := map[int32]bool{}
	for deadline := time.Now().Add(patience); len(ended) < partitions || len(msgs) < atLeast; {
		if time.Now().After(deadline) {
			p.stop("%d messages on the wire, not %d", len(msgs), atLeast)
		}
		switch event := c.Poll(100).(type) {
		case *kafka.Message:
			msgs = append(msgs, event)
		case kafka.PartitionEOF:
			ended[event.Partition] = true
		}
	}
	slices.SortStableFunc(msgs, func(a, b *kafka.Message) int {
		return cmp.Or(cmp.Compare(a.TopicPartition.Partition, b.TopicPartition.Partition), cmp.Compare(a.TopicPartition.Offset, b.TopicPartition.Offset))
	})
	return msgs
}

// readBack reads what has come on the wire, and checks it.
func (p *producerPlayer) readBack(e ending) {
	if e.down {
		if err := p.cluster.mock.SetBrokerUp(-1); err != nil {
			p.stop("broker up: %v", err)
		}
	}
	want := map[int32][]*attempt{}
	n := 0
	for _, a := range e.attempts {
		if a.outcome == delivered || a.outcome == pending && !e.certain {
			want[a.at] = append(want[a.at], a)
			n++
		}
	}
	atLeast := n
	if !e.certain {
		atLeast = 0
	}
	msgs := p.readTopic(p.cluster, p.topic, p.partitions, atLeast)
	if e.certain && len(msgs) != n {
		p.fault("%d messages on the wire, not %d", len(msgs), n)
	}
	for _, msg := range msgs {
		at := msg.TopicPartition.Partition
		if p.scattered {
			at = unknown
		}
		a := take(want, at, numberOf(msg), e.certain && !p.scattered)
		if a == nil {
			p.fault("on the wire, out of order, twice or never sent: %v %s", msg.TopicPartition, quote(msg.Value))
			continue
		}
		p.checkWire(msg, a, e.reported)
	}
	if !e.certain {
		return
	}
	if p.scattered {
		slices.SortFunc(msgs, func(a, b *kafka.Message) int { return numberOf(a) - numberOf(b) })
	}
	for _, msg := range msgs {
		where := fmt.Sprint(msg.TopicPartition.Partition)
		if p.scattered {
			where = "?"
		}
		p.see("[%s] %d %s", where, numberOf(msg), renderWire(msg))
	}
}

// take takes the attempt of a message on the wire out of those that are wanted: the next one; or, if some may be
// missing, the next one of its number.
func take(want map[int32][]*attempt, partition int32, n int, exactly bool) *attempt {
	list := want[partition]
	for i, a := range list {
		if a.origin().n == n {
			if partition == unknown {
				want[partition] = slices.Delete(slices.Clone(list), i, i+1)
			} else {
				want[partition] = list[i+1:]
			}
			return a
		}
		if exactly {
			break
		}
	}
	return nil
}

func renderWire(msg *kafka.Message) string {
	return fmt.Sprintf("key=%s value=%s headers=%s", quote(msg.Key), quote(msg.Value), quoteHeaders(withoutPropagation(msg.Headers)))
}

// checkWire compares a message on the wire with what was sent. Its span knows of that once it
// is reported.
func (p *producerPlayer) checkWire(msg *kafka.Message, a *attempt, reported bool) {
	sent := &kafka.Message{Key: p.kept(a, a.key), Value: p.kept(a, a.value), Headers: a.sent()}
	asBatch := a.through && p.batch
	if asBatch {
		sent.Headers = nil
	}
	if got, want := renderWire(msg), renderWire(sent); got != want {
		p.fault("on the wire %s, not %s", got, want)
	}
	if !asBatch && a.timestamp && !msg.Timestamp.Equal(a.origin().time()) {
		p.fault("on the wire with timestamp %v, not %v", msg.Timestamp, a.origin().time())
	}
	if asBatch || !p.mode.propagates(a.origin().n) {
		if got, want := quoteHeaders(msg.Headers), quoteHeaders(sent.Headers); got != want {
			p.fault("on the wire with headers %s, not %s", got, want)
		}
	}
	if !asBatch {
		p.checkContext(msg, a, reported)
	}
}

// traceparents are the values of a message's headers of that name.
func traceparents(headers []kafka.Header) (values []string) {
	for _, h := range headers {
		if h.Key == "traceparent" {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// spanOf splits a traceparent.
func spanOf(traceparent string) (traceID, spanID, flags string, ok bool) {
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return "", "", "", false
	}
	return parts[1], parts[2], parts[3], true
}
