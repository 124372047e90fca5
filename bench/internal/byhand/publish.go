package byhand

import (
	"context"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Publication is what is kept of a message until its report.
type Publication struct {
	span    trace.Span
	headers []kafka.Header
	values  []byte // of the header that is added

	ctx   context.Context // for an exemplar
	start time.Time
}

// Publish starts the publish span of a message and puts its context into the
// headers. The memory of pub is used again if it is not new.
func (t *Tracing) Publish(msg *kafka.Message, pub *Publication) {
	var ctx context.Context
	ctx, pub.span = t.tracer.Start(context.Background(), "kafka.publish", t.publish...)
	pub.headers, pub.values = append(pub.headers[:0], msg.Headers...), pub.values[:0]
	t.propagator.Inject(ctx, pub)
	msg.Headers = pub.headers
	if t.metrics != nil {
		pub.ctx, pub.start = ctx, time.Now()
	}
}

// End ends the publish span of a message with its report.
func (t *Tracing) End(report *kafka.Message, pub *Publication) { t.end(report, pub, new(said)) }

func (t *Tracing) end(report *kafka.Message, pub *Publication, s *said) {
	if pub.span.IsRecording() {
		pub.span.SetAttributes(append(t.describe(report, s),
			attribute.String("messaging.destination.partition.id", strconv.Itoa(int(report.TopicPartition.Partition))))...)
		if err := report.TopicPartition.Error; err != nil {
			pub.span.SetStatus(codes.Error, err.Error())
		}
	}
	pub.span.End()
	t.metrics.recordPublish(pub.ctx, pub.start)
}

// said has room for what a span is told at its end.
type said [4]attribute.KeyValue

// describe returns what a span is told of its message.
func (t *Tracing) describe(msg *kafka.Message, s *said) []attribute.KeyValue {
	return append(s[:0], t.clientID,
		attribute.Int("messaging.message.body.size", len(msg.Value)),
		attribute.Int64("messaging.kafka.offset", int64(msg.TopicPartition.Offset)))
}

// Publisher makes the publish spans of one producing goroutine. All its messages
// go to one partition, so their reports come in the order of the messages: what
// is kept of them is in a ring, which needs no lock.
type Publisher struct {
	*Tracing
	ring []Publication
	next int
	said said
}

// NewPublisher returns a Publisher for at most inFlight messages under way, each
// with a number of headers of its own.
func (t *Tracing) NewPublisher(inFlight, headers int) *Publisher {
	const traceparent = 64 // bytes; it has 55
	p := &Publisher{Tracing: t, ring: make([]Publication, inFlight)}
	memory, values := make([]kafka.Header, inFlight*(headers+1)), make([]byte, inFlight*traceparent)
	for i := range p.ring {
		p.ring[i].headers, memory = memory[:0:headers+1], memory[headers+1:]
		p.ring[i].values, values = values[:0:traceparent], values[traceparent:]
	}
	return p
}

// Start starts the publish span of the next message.
func (p *Publisher) Start(msg *kafka.Message) {
	pub := &p.ring[p.next]
	if p.next++; p.next == len(p.ring) {
		p.next = 0
	}
	p.Publish(msg, pub)
	msg.Opaque = pub
}

// Reported ends the publish span of a message that Start was called with.
func (p *Publisher) Reported(report *kafka.Message) {
	p.end(report, report.Opaque.(*Publication), &p.said)
}

// Begin starts a publish span as the library has it while the message is under way.
func (t *Tracing) Begin(msg *kafka.Message) trace.Span {
	_, span := t.tracer.Start(context.Background(), "kafka.publish", t.publish...)
	span.SetAttributes(t.clientID, attribute.Int("messaging.message.body.size", len(msg.Value)))
	return span
}

// Span makes a publish span that ends at once, with all that it would say in the
// end.
func (t *Tracing) Span(msg *kafka.Message) {
	span := t.Begin(msg)
	span.SetAttributes(
		attribute.String("messaging.destination.partition.id", "0"),
		attribute.Int64("messaging.kafka.offset", 0))
	span.End()
}

var _ propagation.TextMapCarrier = (*Publication)(nil)

// Set implements [propagation.TextMapCarrier].
func (p *Publication) Set(key, value string) {
	from := len(p.values)
	p.values = append(p.values, value...)
	p.headers = append(p.headers, kafka.Header{Key: key, Value: p.values[from:]})
}

// Get implements [propagation.TextMapCarrier].
func (p *Publication) Get(string) string { return "" }

// Keys implements [propagation.TextMapCarrier].
func (p *Publication) Keys() []string { return nil }
