package differential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// checkContext looks whether a message on the wire carries the context of its publish span, and that span's
// attributes say where the message is.
func (p *producerPlayer) checkContext(msg *kafka.Message, a *attempt, reported bool) {
	n := a.origin().n
	if !p.mode.propagates(n) {
		return
	}
	carried := traceparents(msg.Headers)
	if !p.mode.traces(n) { // passed on
		want := traceparents(a.sent())
		if len(want) > 0 && want[len(want)-1] != traceparentOfAnother {
			want = nil
		}
		if !slices.Equal(carried, want) {
			p.fault("#%d carries %q, not %q", n, carried, want)
		}
		return
	}
	if len(carried) != 1 {
		p.fault("#%d carries %q", n, carried)
		return
	}
	traceID, spanID, flags, ok := spanOf(carried[0])
	if !ok {
		p.fault("#%d carries %q", n, carried)
		return
	}
	if p.carried[spanID] {
		p.fault("#%d carries the context of another message", n)
	}
	p.carried[spanID] = true
	if continued := strings.Contains(traceparentOfAnother, traceID); continued != slices.Contains(traceparents(a.sent()), traceparentOfAnother) {
		p.fault("#%d: in the trace of the message's headers: %t", n, continued)
	}
	span := p.span(spanID)
	if (flags == "01") != (span != nil) {
		p.fault("#%d carries %s; the span is recorded: %t", n, carried[0], span != nil)
	}
	if span == nil || !reported {
		return
	}
	p.wantAttribute(span, "messaging.destination.partition.id", fmt.Sprint(msg.TopicPartition.Partition))
	if !p.noAcks {
		p.wantAttribute(span, "messaging.kafka.offset", fmt.Sprint(int64(msg.TopicPartition.Offset)))
	}
}

func (p *producerPlayer) wantAttribute(span sdktrace.ReadOnlySpan, key, want string) {
	if got := attribute(span, key); got != want {
		p.fault("span %v: %s is %q, not %q", span.SpanContext().SpanID(), key, got, want)
	}
}

// attribute returns an attribute of a span as text, "" if it is not there.
func attribute(span sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range span.Attributes() {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// span returns an ended publish span.
func (p *producerPlayer) span(id string) sdktrace.ReadOnlySpan {
	if p.byID == nil {
		p.byID = map[string]sdktrace.ReadOnlySpan{}
		for _, s := range p.spans.Ended() {
			p.byID[s.SpanContext().SpanID().String()] = s
		}
	}
	return p.byID[id]
}

// checkSpans counts the publish spans: one for each message that was handed over, with what became of it.
func (p *producerPlayer) checkSpans(e ending) {
	want, optional, failed := 0, 0, 0
	for _, a := range e.attempts {
		if a.invalid == nilMessage || !p.mode.traces(a.origin().n) {
			continue
		}
		want++
		if a.through && !e.certain { // it may not have got further than ProduceChannel
			optional++
		}
		asBatch := a.through && p.batch // its span tells of the hand-over only
		if a.outcome != delivered && !asBatch {
			failed++
		}
	}
	started, ended := p.spans.Started(), p.spans.Ended()
	if len(started) != len(ended) {
		p.fault("%d spans started, %d ended", len(started), len(ended))
	}
	if got := int(p.sampler.asked.Load()); got > want || got < want-optional {
		p.fault("%d publish spans, not %d", got, want)
	}
	if got := int(p.sampler.taken.Load()); got != len(started) {
		p.fault("%d spans recorded, not %d", len(started), got)
	}
	withError := 0
	for _, s := range ended {
		if s.Name() != "kafka.publish" {
			p.fault("span %s", s.Name())
		}
		if attribute(s, "error.type") != "" {
			withError++
		}
	}
	if p.sampler.all && e.reported && withError != failed {
		p.fault("%d spans with an error, not %d", withError, failed)
	}
}
