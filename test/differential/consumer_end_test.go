package differential

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// close closes the consumer, once its channel holds what there is room for, and receives that.
func (p *consumerPlayer) close(first int, left []*content) {
	if p.channel && !p.eof { // else nobody can tell how much of it are ends of the partition
		left = left[:min(len(left), cap(p.client.Events()))]
		p.eventually(func() bool { return len(p.client.Events()) == len(left) }, "%d messages in Events()", len(left))
	}
	events := p.client.Events()
	p.answered(p.client.Close(), kafka.ErrNoError)
	if !p.channel {
		return
	}
	var got []*kafka.Message
	for event := range events { // it is closed
		if msg := p.take(event); msg != nil {
			got = append(got, msg)
		}
	}
	if p.eof {
		left = left[:min(len(left), len(got))]
	}
	seen := len(p.lines)
	p.checkMessages(got, first, left)
	if p.eof {
		p.lines = p.lines[:seen]
	} else if len(got) != len(left) {
		p.fault("%d messages in Events(), not %d", len(got), len(left))
	}
}

// callClosed calls everything that does not end the process with the raw client.
func (p *consumerPlayer) callClosed() {
	c, all := p.client, p.all()
	p.see("closed %t", c.IsClosed())
	msg, err := c.ReadMessage(-1)
	p.see("read %v %s", msg, describe(err))
	msg, err = c.ReadMessage(0)
	p.see("read %v %s", msg, describe(err))
	p.see("subscribe %s", describe(c.Subscribe(p.topic, nil)))
	p.see("subscribe %s", describe(c.SubscribeTopics([]string{p.topic}, func(*kafka.Consumer, kafka.Event) error { return nil })))
	p.see("unsubscribe %s", describe(c.Unsubscribe()))
	p.see("assign %s", describe(c.Assign(all)))
	p.see("unassign %s", describe(c.Unassign()))
	p.see("incremental assign %s", describe(c.IncrementalAssign(all)))
	p.see("incremental unassign %s", describe(c.IncrementalUnassign(all)))
	p.see("pause %s", describe(c.Pause(all)))
	p.see("resume %s", describe(c.Resume(all)))
	_, err = c.Subscription()
	p.see("subscription %s", describe(err))
	for name, call := range map[string]func() ([]kafka.TopicPartition, error){
		"assignment": c.Assignment,
		"commit":     c.Commit,
		"message":    func() ([]kafka.TopicPartition, error) { return c.CommitMessage(nil) },
		"offsets":    func() ([]kafka.TopicPartition, error) { return c.CommitOffsets(all) },
		"store":      func() ([]kafka.TopicPartition, error) { return c.StoreOffsets(all) },
		"store one":  func() ([]kafka.TopicPartition, error) { return c.StoreMessage(&kafka.Message{TopicPartition: all[0]}) },
		"committed":  func() ([]kafka.TopicPartition, error) { return c.Committed(all, 1) },
		"position":   func() ([]kafka.TopicPartition, error) { return c.Position(all) },
		"seek":       func() ([]kafka.TopicPartition, error) { return c.SeekPartitions(all) },
		"times":      func() ([]kafka.TopicPartition, error) { return c.OffsetsForTimes(all, 1) },
	} {
		offsets, err := call()
		if code, _ := codeOf(err); code != kafka.ErrState {
			p.fault("%s: %s %s", name, p.list(offsets), describe(err))
		}
	}
	p.see("close %s", describe(c.Close()))
	p.see("events %t", c.Events() == nil)
}

// checkCommitted asks the broker what the group has committed.
func (p *consumerPlayer) checkCommitted(logs []partitionLog) {
	conf := p.cluster.config(kafka.ConfigMap{"group.id": p.group})
	c, err := kafka.NewConsumer(&conf)
	if err != nil {
		p.stop("%v", err)
	}
	defer func() { _ = c.Close() }()
	offsets, err := c.Committed(p.all(), int(patience.Milliseconds()))
	p.see("%s %s", p.list(offsets), describe(err))
	p.wantCommitted(offsets, logs)
}

func (p *consumerPlayer) wantCommitted(offsets []kafka.TopicPartition, logs []partitionLog) {
	for _, tp := range offsets {
		want := kafka.Offset(logs[tp.Partition].committed)
		if want < 0 {
			want = kafka.OffsetInvalid
		}
		if tp.Offset != want {
			p.fault("committed %v in partition %d, not %v", tp.Offset, tp.Partition, want)
		}
	}
}

// checkContext looks whether a message leads to its receive span, and that span to where the message comes from.
func (p *consumerPlayer) checkContext(msg *kafka.Message) {
	n := numberOf(msg)
	ctx := trace.SpanContextFromContext(tracing.ContextFromMessage(context.Background(), msg))
	carried := traceparents(msg.Headers)
	continues := len(carried) > 0 && carried[len(carried)-1] == traceparentOfAnother // of several the last counts
	if continues != (ctx.IsValid() && strings.Contains(traceparentOfAnother, ctx.TraceID().String())) {
		p.fault("#%d continues trace %s", n, ctx.TraceID())
	}
	if p.mode == raw || p.mode == everythingOff || p.mode.leftOut(n) {
		if msg.Opaque != nil {
			p.fault("#%d: Opaque %v", n, msg.Opaque)
		}
		return
	}
	if !p.mode.traces(n) {
		return
	}
	if !ctx.IsValid() {
		p.fault("#%d leads to no span", n)
		return
	}
	if !ctx.IsSampled() {
		return
	}
	for _, span := range slices.Backward(p.spans.Ended()) {
		if span.SpanContext().SpanID() == ctx.SpanID() {
			p.checkSpan(span, msg)
			return
		}
	}
	p.fault("#%d: its span %s is not recorded", n, ctx.SpanID())
}

func (p *consumerPlayer) checkSpan(span sdktrace.ReadOnlySpan, msg *kafka.Message) {
	for key, want := range map[string]string{
		"messaging.destination.name":         p.topic,
		"messaging.destination.partition.id": fmt.Sprint(msg.TopicPartition.Partition),
		"messaging.kafka.offset":             fmt.Sprint(int64(msg.TopicPartition.Offset)),
		"messaging.consumer.group.name":      p.group,
	} {
		if got := attribute(span, key); got != want {
			p.fault("span of %v: %s is %q, not %q", msg.TopicPartition, key, got, want)
		}
	}
}

// checkSpans counts the receive spans: one for each message.
func (p *consumerPlayer) checkSpans() {
	want := 0
	for _, msg := range p.received {
		if p.mode.traces(numberOf(msg)) {
			want++
		}
	}
	inHand := 0
	if p.channel {
		inHand = 1 // on its way into the channel when that was closed
	}
	if got := int(p.sampler.asked.Load()); got < want || got > want+inHand {
		p.fault("%d receive spans, not %d", got, want)
	}
	started, ended := p.spans.Started(), p.spans.Ended()
	if len(started) != len(ended) || len(ended) != int(p.sampler.taken.Load()) {
		p.fault("%d spans started, %d ended, %d sampled", len(started), len(ended), p.sampler.taken.Load())
	}
	for _, span := range ended {
		if span.Name() != "kafka.receive" {
			p.fault("span %s", span.Name())
		}
	}
}
