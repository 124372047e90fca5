package byhand

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
)

// Receiver makes the receive and process spans of one consuming goroutine.
type Receiver struct {
	*Tracing
	waits time.Time // since when it waits for the next message
	said  said
}

// NewReceiver returns a Receiver that begins to wait now.
func (t *Tracing) NewReceiver() *Receiver {
	return &Receiver{Tracing: t, waits: t.metrics.now()}
}

// Receive makes the receive span of a message and returns its context.
func (r *Receiver) Receive(msg *kafka.Message) context.Context {
	ctx := r.propagator.Extract(context.Background(), carrier{msg})
	ctx, span := r.tracer.Start(ctx, "kafka.receive", r.receive...)
	if span.IsRecording() {
		span.SetAttributes(r.describe(msg, &r.said)...)
	}
	span.End()
	r.metrics.recordReceive(ctx, r.waits, 1)
	r.waits = r.metrics.now()
	return ctx
}

// Process handles a message within a process span. ctx is that of Receive.
func (r *Receiver) Process(ctx context.Context, msg *kafka.Message, handle func(context.Context) error) error {
	ctx, span := r.tracer.Start(ctx, "kafka.process", r.process...)
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(r.describe(msg, &r.said)...)
	}
	start := r.metrics.now()
	err := handle(ctx)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	r.metrics.recordProcess(ctx, start)
	r.waits = r.metrics.now()
	return err
}

// carrier reads the headers of a message.
type carrier struct{ msg *kafka.Message }

var _ propagation.TextMapCarrier = carrier{}

// Get implements [propagation.TextMapCarrier].
func (c carrier) Get(key string) string {
	for _, h := range c.msg.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Set implements [propagation.TextMapCarrier].
func (c carrier) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (c carrier) Keys() []string { return nil }
