package differential

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// read reads as many reports from a channel as are wanted, and checks them.
func (p *producerPlayer) read(channel int, want []*attempt, ordered bool) {
	got := make([]*kafka.Message, 0, len(want))
	timeout := time.After(patience)
	for len(got) < len(want) {
		select {
		case event, ok := <-p.channels[channel]:
			if !ok {
				p.stop("channel %d is closed", channel)
			}
			if msg, isReport := event.(*kafka.Message); isReport {
				got = append(got, msg)
			} else if p.sharesCluster() {
				p.fault("channel %d: %T %v", channel, event, event)
			}
		case <-timeout:
			p.stop("channel %d: %d reports, not %d", channel, len(got), len(want))
		}
	}
	p.checkReports(channel, got, want, ordered)
}

// checkReports compares reports with what is wanted, in that order or, with everything by its number, in any.
func (p *producerPlayer) checkReports(channel int, got []*kafka.Message, want []*attempt, ordered bool) {
	if !ordered {
		got, want = slices.Clone(got), slices.Clone(want)
		slices.SortFunc(got, func(a, b *kafka.Message) int {
			return cmp.Or(p.numberOfReport(a)-p.numberOfReport(b), cmp.Compare(a.TopicPartition.Offset, b.TopicPartition.Offset))
		})
		slices.SortFunc(want, func(a, b *attempt) int {
			return cmp.Or(a.origin().n-b.origin().n, cmp.Compare(a.offset, b.offset))
		})
	}
	for _, msg := range got {
		p.see("channel %d: %s", channel, p.render(msg))
	}
	if len(got) != len(want) {
		p.fault("channel %d: %d reports, not %d", channel, len(got), len(want))
		return
	}
	for i, msg := range got {
		if got, want := p.render(msg), p.wanted(want[i], msg); got != want {
			p.fault("channel %d: report\n\t\t%s\n\tnot\n\t\t%s", channel, got, want)
		}
	}
}

// numberOfReport tells the number of the message that a report is of.
func (p *producerPlayer) numberOfReport(msg *kafka.Message) int {
	switch opaque := msg.Opaque.(type) {
	case int:
		return opaque
	case *int:
		return *opaque
	case []int:
		return opaque[0]
	default:
		return numberOf(msg)
	}
}

// render renders all of a report that is determined by the script.
func (p *producerPlayer) render(msg *kafka.Message) string {
	tp := msg.TopicPartition
	topic := "nil"
	if tp.Topic != nil {
		topic = *tp.Topic
		if topic == p.topic {
			topic = "topic"
		}
	}
	partition, offset := fmt.Sprint(tp.Partition), fmt.Sprint(tp.Offset)
	if p.scattered {
		partition, offset = "?", "?"
	}
	if p.noAcks && tp.Offset < 0 { // the client counts up from "invalid" in a batch
		offset = "none"
	}
	return fmt.Sprintf("%s[%s]@%s %s key=%s value=%s opaque=%s headers=%s timestamp=%d",
		topic, partition, offset, p.reported(tp.Error), quote(msg.Key), quote(msg.Value), p.renderOpaque(msg.Opaque),
		quoteHeaders(withoutPropagation(msg.Headers)), max(0, msg.Timestamp.Sub(epoch).Milliseconds()))
}

func (p *producerPlayer) renderOpaque(opaque any) string {
	if n, ok := opaque.(*int); ok {
		return fmt.Sprintf("pointer to %d, the caller's: %t", *n, n == p.opaques[*n])
	}
	return fmt.Sprintf("%T %v", opaque, opaque)
}

// reported renders the error of a report. Whether a purged message was in the queue or on its way to a broker that is
// gone is a matter of time.
func (p *producerPlayer) reported(err error) string {
	if code, _ := codeOf(err); p.outage && (code == kafka.ErrPurgeQueue || code == kafka.ErrPurgeInflight) {
		return "purged"
	}
	return describe(err)
}

// wanted renders the report of an attempt as it should be. got is what came, for what only the raw client knows: where
// a message that failed was.
func (p *producerPlayer) wanted(a *attempt, got *kafka.Message) string {
	want := &kafka.Message{Opaque: p.wantedOpaque(a)}
	want.TopicPartition = got.TopicPartition
	want.TopicPartition.Topic = &p.topic
	if a.outcome == refused { // given back as it was
		back := p.message(a)
		back.TopicPartition.Error = got.TopicPartition.Error
		p.wantCode(got.TopicPartition.Error, a.code)
		return p.render(back)
	}
	if a.outcome == delivered {
		want.TopicPartition.Partition, want.TopicPartition.Offset = a.at, a.offset
	}
	want.TopicPartition.Error = map[outcome]error{
		purged:   kafka.NewError(kafka.ErrPurgeQueue, kafka.ErrPurgeQueue.String(), false),
		timedOut: kafka.NewError(kafka.ErrMsgTimedOut, kafka.ErrMsgTimedOut.String(), false),
	}[a.outcome]
	if p.reports("key") {
		want.Key = p.kept(a, a.key)
	}
	if p.reports("value") {
		want.Value = p.kept(a, a.value)
	}
	if p.reports("headers") {
		want.Headers = a.sent()
	}
	return p.render(want)
}

// kept returns bytes as the client keeps them: its batch producer makes no difference between nil and empty.
func (p *producerPlayer) kept(a *attempt, b []byte) []byte {
	if a.through && p.batch && len(b) == 0 {
		return nil
	}
	return b
}

func (p *producerPlayer) wantedOpaque(a *attempt) any {
	o := a.origin()
	switch {
	case a.through && p.batch:
		return nil
	case o.opaque == "number":
		return o.n
	case o.opaque == "pointer":
		return p.opaques[o.n]
	case o.opaque == "slice":
		return []int{o.n}
	default:
		return nil
	}
}
