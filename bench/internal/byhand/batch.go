package byhand

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Batch makes the receive span of a batch whose first message came at a time, and
// handles the batch within a process span.
func (r *Receiver) Batch(msgs []*kafka.Message, began time.Time, handle func(context.Context) error) error {
	more := []trace.SpanStartOption{
		trace.WithAttributes(r.clientID, attribute.Int("messaging.batch.message_count", len(msgs))),
		trace.WithLinks(r.links(msgs)...),
	}
	ctx, span := r.tracer.Start(context.Background(), "kafka.receive",
		append(append(more, r.receiveBatch...), trace.WithTimestamp(began))...)
	span.End()
	r.metrics.recordReceive(ctx, r.waits, len(msgs))

	ctx, span = r.tracer.Start(ctx, "kafka.process", append(more, r.processBatch...)...)
	defer span.End()
	start := r.metrics.now()
	err := handle(ctx)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	r.metrics.recordProcess(ctx, start)
	r.waits = r.metrics.now()
	return err
}

// links returns the links to the creation contexts, each with its message's
// offset: the rest is the same for all and said of the batch.
func (r *Receiver) links(msgs []*kafka.Message) []trace.Link {
	links, offsets := make([]trace.Link, len(msgs)), make([]attribute.KeyValue, len(msgs))
	for i, msg := range msgs {
		offsets[i] = attribute.Int64("messaging.kafka.offset", int64(msg.TopicPartition.Offset))
		links[i] = trace.Link{
			SpanContext: trace.SpanContextFromContext(r.propagator.Extract(context.Background(), carrier{msg})),
			Attributes:  offsets[i : i+1 : i+1],
		}
	}
	return links
}
