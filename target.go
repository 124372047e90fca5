package tracing

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// instrumentation is what a producer and a consumer have in common.
type instrumentation struct {
	*config
	tracer  trace.Tracer
	metrics *metrics
	current func() *propagator
}

func newInstrumentation(c *config) *instrumentation {
	i := &instrumentation{
		config: c,
		tracer: c.tracerProvider.Tracer(ScopeName,
			trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(semconv.SchemaURL)),
		metrics: newMetrics(newMeter(c.meterProvider)),
	}
	if c.propagators != nil {
		p := newPropagator(c.propagators)
		i.current = func() *propagator { return p }
	} else {
		i.current = newGlobalPropagator().current
	}
	return i
}

// maxTargets bounds how many destinations an operation remembers. The names of
// topics and partitions are the application's and few; this is against one that
// makes them up.
const maxTargets = 4096

// destination is a topic and, where it is known beforehand, a partition.
type destination struct {
	topic     string
	partition int32 // unknownPartition if not known or not of interest
}

// maxTopicLength is the longest topic name that librdkafka takes. The Go client
// panics on a longer one.
const maxTopicLength = 512

func topicOf(msg *kafka.Message) string {
	if msg.TopicPartition.Topic == nil {
		return ""
	}
	return *msg.TopicPartition.Topic
}

// validTopic returns the topic of a message, or "" if the client refuses it.
func validTopic(msg *kafka.Message) string {
	topic := topicOf(msg)
	if len(topic) > maxTopicLength {
		return ""
	}
	return topic
}

// topicText is a topic as telemetry has it. No broker takes a name that is not
// UTF-8, but the client does.
func topicText(topic string) string { return strings.ToValidUTF8(topic, "\ufffd") }

// commonPartition returns the topic, and the partition, that all have in common.
func commonPartition(tps []kafka.TopicPartition) destination {
	d := destination{partition: unknownPartition}
	for i, tp := range tps {
		if tp.Topic == nil || len(*tp.Topic) > maxTopicLength {
			return destination{partition: unknownPartition}
		}
		if i == 0 {
			d = destination{topic: *tp.Topic, partition: tp.Partition}
			continue
		}
		if *tp.Topic != d.topic {
			return destination{partition: unknownPartition}
		}
		if tp.Partition != d.partition {
			d.partition = unknownPartition
		}
	}
	return d
}

// commonDestination is commonPartition of messages; a nil one has nothing in common
// with any.
func commonDestination(msgs []*kafka.Message) destination {
	tps := make([]kafka.TopicPartition, len(msgs))
	for i, msg := range msgs {
		if msg != nil {
			tps[i] = msg.TopicPartition
		}
	}
	return commonPartition(tps)
}

// operation makes the spans and the series of one operation. What is the same
// for every message to a destination is made once and kept.
type operation struct {
	*instrumentation
	op   Operation
	kind trace.SpanKind

	mu      sync.Mutex
	targets atomic.Pointer[map[destination]*target] // replaced, never changed
}

func (i *instrumentation) newOperation(op Operation) *operation {
	return i.newOperationOfKind(op, op.kind(i.linkedTraces, false))
}

// newBatchOperation makes an operation over several messages.
func (i *instrumentation) newBatchOperation(op Operation) *operation {
	return i.newOperationOfKind(op, op.kind(i.linkedTraces, true))
}

func (i *instrumentation) newOperationOfKind(op Operation, kind trace.SpanKind) *operation {
	o := &operation{instrumentation: i, op: op, kind: kind}
	o.targets.Store(new(map[destination]*target))
	return o
}

// target is one operation on one destination.
type target struct {
	of    *operation
	dest  destination
	name  string
	start []trace.SpanStartOption

	success  *series
	mu       sync.Mutex
	failures atomic.Pointer[map[string]*series] // by error.type; replaced, never changed
}

// target returns the target of a destination. An empty topic is one that is not
// known or not valid.
func (o *operation) target(topic string, partition int32) *target {
	d := destination{topic: topic, partition: max(partition, unknownPartition)}
	if t, ok := (*o.targets.Load())[d]; ok {
		return t
	}
	// The key stays, so it must not hold on to memory of the application's.
	d.topic = strings.Clone(d.topic)
	t := o.newTarget(destination{topic: topicText(d.topic), partition: d.partition})
	o.mu.Lock()
	defer o.mu.Unlock()
	known := *o.targets.Load()
	if len(known) < maxTargets {
		replaced := maps.Clone(known)
		if replaced == nil {
			replaced = map[destination]*target{}
		}
		replaced[d] = t
		o.targets.Store(&replaced)
	}
	return t
}

func (o *operation) newTarget(d destination) *target {
	t := &target{
		of:   o,
		dest: d,
		name: o.spanName(o.op, d.topic),
		start: []trace.SpanStartOption{
			trace.WithSpanKind(o.kind),
			trace.WithAttributes(o.addOperation(nil, o.op, d)...),
		},
		success: newSeries(o.config, o.op, d, ""),
	}
	t.failures.Store(new(map[string]*series))
	return t
}

// startSpan starts the target's span. more are options of this one span, such as
// links.
func (t *target) startSpan(ctx context.Context, more ...trace.SpanStartOption) (context.Context, trace.Span) {
	opts := t.start
	if len(more) > 0 {
		opts = append(opts[:len(opts):len(opts)], more...)
	}
	return t.of.tracer.Start(ctx, t.name, opts...)
}

// series returns the attribute sets for an outcome; "" is success.
func (t *target) series(errorType string) *series {
	if errorType == "" {
		return t.success
	}
	if s, ok := (*t.failures.Load())[errorType]; ok {
		return s
	}
	s := newSeries(t.of.config, t.of.op, t.dest, errorType)
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.failures.Load()
	if len(known) < maxTargets {
		replaced := maps.Clone(known)
		if replaced == nil {
			replaced = map[string]*series{}
		}
		replaced[errorType] = s
		t.failures.Store(&replaced)
	}
	return s
}

// metricTarget is the target under which a message at the given partition is
// measured: metrics leave the partition out unless asked for it.
func (o *operation) metricTarget(topic string, partition int32) *target {
	if !o.partitionOnMetrics {
		partition = unknownPartition
	}
	return o.target(topic, partition)
}

// measured is the metricTarget of a message of the target, with which a span may
// know a partition that metrics leave out.
func (t *target) measured(partition int32) *target {
	if !t.of.partitionOnMetrics {
		partition = unknownPartition
	}
	if partition == t.dest.partition {
		return t
	}
	return t.of.target(t.dest.topic, partition)
}

// setError marks a span as failed and returns the error's type, which is "" for
// a nil error.
func setError(span trace.Span, err error) string {
	if err == nil {
		return ""
	}
	t := errorType(err)
	if span.IsRecording() {
		// Not err.Error(), which panics for a nil pointer in err; fmt does not.
		setErrorType(span, t, fmt.Sprint(err))
	}
	return t
}

func setErrorType(span trace.Span, errorType, description string) {
	if span.IsRecording() {
		// A decoder's error may quote what it could not decode, and exporters refuse
		// a whole batch for one text that is not UTF-8.
		span.SetStatus(codes.Error, strings.ToValidUTF8(description, "\ufffd"))
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	}
}
