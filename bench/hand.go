package main

import (
	"net"
	"strconv"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// hand is the tracing of a message written by hand: the attributes that the
// library sets, made beforehand where that is possible.
type hand struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	publish    []trace.SpanStartOption
	receive    []trace.SpanStartOption
	recorded   []attribute.KeyValue
	position   []attribute.KeyValue
}

func newHand(s sdktrace.Sampler, conf *kafka.ConfigMap) *hand {
	servers, _ := (*conf)["bootstrap.servers"].(string)
	host, port, _ := net.SplitHostPort(servers)
	n, _ := strconv.Atoi(port)
	common := func(op, opType string) []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", op),
			attribute.String("messaging.operation.type", opType),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.destination.partition.id", "0"),
			attribute.String("server.address", host),
			attribute.Int("server.port", n),
		}
	}
	return &hand{
		tracer:     sdktrace.NewTracerProvider(sdktrace.WithSampler(s)).Tracer("hand"),
		propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
		publish: []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(common("publish", "send")...),
		},
		receive: []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(common("receive", "receive"),
				attribute.String("messaging.consumer.group.name", "bench"))...),
		},
		recorded: []attribute.KeyValue{
			attribute.String("messaging.client.id", "rdkafka#producer-1"), attribute.Int("messaging.message.body.size", 100),
		},
		position: make([]attribute.KeyValue, 2),
	}
}

// start starts a publish span and returns the headers that carry its context.
func (h *hand) start(carrier *handCarrier) (trace.Span, []kafka.Header) {
	ctx, span := h.tracer.Start(background, "kafka.publish", h.publish...)
	if span.IsRecording() {
		span.SetAttributes(h.recorded...)
	}
	if carrier == nil {
		carrier = &handCarrier{}
	}
	carrier.headers, carrier.values = carrier.headers[:0], carrier.values[:0]
	h.propagator.Inject(ctx, carrier)
	return span, carrier.headers
}

// end ends a publish span with its report.
func (h *hand) end(span trace.Span, report *kafka.Message) {
	if span.IsRecording() {
		tp := report.TopicPartition
		span.SetAttributes(
			attribute.String("messaging.destination.partition.id", strconv.Itoa(int(tp.Partition))),
			attribute.Int64("messaging.kafka.offset", int64(tp.Offset)))
		if tp.Error != nil {
			span.SetStatus(codes.Error, tp.Error.Error())
		}
	}
	span.End()
}
