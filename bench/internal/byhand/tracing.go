// Package byhand traces messages with code that is written for these benchmarks
// alone: the same spans and metrics as the library's, with everything that is
// known beforehand made beforehand, memory used again, and nothing general. It is
// the floor that the library is compared with.
package byhand

import (
	"net"
	"strconv"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Tracing is what all spans of a client have in common.
type Tracing struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	metrics    *metrics // nil if nothing is measured

	publish, receive, process  []trace.SpanStartOption
	receiveBatch, processBatch []trace.SpanStartOption
	clientID                   attribute.KeyValue
}

// New returns the tracing of a client with the given configuration.
func New(p telemetry.Providers, conf kafka.ConfigMap) *Tracing {
	return &Tracing{
		tracer:       p.Traces.Tracer("by hand"),
		propagator:   propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
		metrics:      newMetrics(p.Metrics, conf),
		publish:      start(conf, trace.SpanKindProducer, "publish", "send"),
		receive:      start(conf, trace.SpanKindConsumer, "receive", "receive"),
		process:      start(conf, trace.SpanKindConsumer, "process", "process"),
		receiveBatch: start(conf, trace.SpanKindClient, "receive", "receive"),
		processBatch: start(conf, trace.SpanKindConsumer, "process", "process"),
		clientID:     attribute.String("messaging.client.id", conf["client.id"].(string)),
	}
}

// start returns the options with which a span begins.
func start(conf kafka.ConfigMap, kind trace.SpanKind, op, opType string) []trace.SpanStartOption {
	attrs := common(conf, op, opType)
	if op != "publish" {
		attrs = append(attrs, attribute.String("messaging.destination.partition.id", "0"))
	}
	return []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attrs...)}
}

// common returns the attributes that spans and metrics share.
func common(conf kafka.ConfigMap, op, opType string) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.operation.name", op),
		attribute.String("messaging.destination.name", measure.Topic),
	}
	if opType != "" {
		attrs = append(attrs, attribute.String("messaging.operation.type", opType))
	}
	if group, ok := conf["group.id"].(string); ok {
		attrs = append(attrs, attribute.String("messaging.consumer.group.name", group))
	}
	if host, port, err := net.SplitHostPort(conf["bootstrap.servers"].(string)); err == nil {
		n, _ := strconv.Atoi(port)
		attrs = append(attrs, attribute.String("server.address", host), attribute.Int("server.port", n))
	}
	return attrs
}
