package tracing_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what should happen soon.
const patience = 20 * time.Second

// cluster is an in-process broker, and telemetry of its own for each test.
type cluster struct {
	t     *testing.T
	mock  *kafka.MockCluster
	spans *tracetest.SpanRecorder
	tp    *sdktrace.TracerProvider
	mr    *sdkmetric.ManualReader
	mp    *sdkmetric.MeterProvider
}

// newCluster starts a broker and a recorder; sampler nil samples everything. At
// the end of the test every span that was started must have ended.
func newCluster(t *testing.T, opts ...sdktrace.TracerProviderOption) *cluster {
	t.Helper()
	mock, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, mock: mock, spans: tracetest.NewSpanRecorder(), mr: sdkmetric.NewManualReader()}
	c.tp = sdktrace.NewTracerProvider(append(opts, sdktrace.WithSpanProcessor(c.spans))...)
	c.mp = sdkmetric.NewMeterProvider(sdkmetric.WithReader(c.mr))
	t.Cleanup(func() {
		mock.Close()
		if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
			t.Errorf("%d spans started, %d ended", started, ended)
		}
		_ = c.tp.Shutdown(context.Background())
		_ = c.mp.Shutdown(context.Background())
	})
	return c
}

// options are the providers of the test and W3C propagation, before opts.
func (c *cluster) options(opts ...tracing.Option) []tracing.Option {
	return append([]tracing.Option{
		tracing.WithTracerProvider(c.tp),
		tracing.WithMeterProvider(c.mp),
		tracing.WithPropagators(w3c),
	}, opts...)
}

var w3c = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// config is a client configuration for the broker; kv overrides and adds.
func (c *cluster) config(kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"bootstrap.servers":        c.mock.BootstrapServers(),
		"socket.timeout.ms":        5000,
		"log_level":                0,
		"allow.auto.create.topics": true,
	}
	for k, v := range kv {
		conf[k] = v
	}
	return &conf
}

// producer makes a traced producer, closed at the end of the test.
func (c *cluster) producer(kv kafka.ConfigMap, opts ...tracing.Option) *tracing.TracedProducer {
	c.t.Helper()
	conf := kafka.ConfigMap{"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100}
	for k, v := range kv {
		conf[k] = v
	}
	p, err := tracing.NewProducer(c.producerConfig(conf), c.options(opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { returns(c.t, "Close", p.Close) })
	return p
}

// consumer makes a traced consumer of group "billing" assigned to partition 0 of
// topic from its beginning, closed at the end of the test.
func (c *cluster) consumer(topic string, kv kafka.ConfigMap, opts ...tracing.Option) *tracing.TracedConsumer {
	c.t.Helper()
	consumer, err := tracing.NewConsumer(c.consumerConfig(kv), c.options(opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = consumer.Close() })
	if topic != "" {
		err = consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 0}})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return consumer
}

var topics atomic.Int64

// topic creates a topic with a name of its own.
func (c *cluster) topic(partitions int) string {
	c.t.Helper()
	name := fmt.Sprintf("topic-%d", topics.Add(1))
	if err := c.mock.CreateTopic(name, partitions, 1); err != nil {
		c.t.Fatal(err)
	}
	return name
}

// message is a message for partition 0 of topic.
func message(topic, value string) *kafka.Message {
	return &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
		Value:          []byte(value),
	}
}

// receiveEvent receives from a channel within the test's patience.
func receiveEvent[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return v
	case <-time.After(patience):
		t.Fatal("nothing arrived")
	}
	panic("unreachable")
}

// report receives a delivery report.
func report(t *testing.T, ch <-chan kafka.Event) *kafka.Message {
	t.Helper()
	event := receiveEvent(t, ch)
	msg, ok := event.(*kafka.Message)
	if !ok {
		t.Fatalf("got %T %v, not a delivery report", event, event)
	}
	return msg
}

// read reads one message.
func read(t *testing.T, c interface {
	ReadMessage(time.Duration) (*kafka.Message, error)
},
) *kafka.Message {
	t.Helper()
	msg, err := c.ReadMessage(patience)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// ended returns the ended spans of a name, in the order of their ends.
func (c *cluster) ended(name string) []sdktrace.ReadOnlySpan {
	var spans []sdktrace.ReadOnlySpan
	for _, s := range c.spans.Ended() {
		if s.Name() == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// only returns the one span of a name.
func (c *cluster) only(name string) sdktrace.ReadOnlySpan {
	c.t.Helper()
	spans := c.ended(name)
	if len(spans) != 1 {
		c.t.Fatalf("%d spans named %s, not 1", len(spans), name)
	}
	return spans[0]
}

// attributeOf returns an attribute of a span as text, "" if it is not there.
func attributeOf(s sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range s.Attributes() {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// wantSpan is all of a span that a test can say.
type wantSpan struct {
	name       string
	kind       trace.SpanKind
	parent     trace.SpanContext // zero: a root
	links      []trace.SpanContext
	status     sdktrace.Status
	attributes []attribute.KeyValue
}

// assertSpan compares all of a span: what is not wanted must not be there.
func assertSpan(t *testing.T, got sdktrace.ReadOnlySpan, want wantSpan) {
	t.Helper()
	if got.Name() != want.name {
		t.Errorf("name %q, want %q", got.Name(), want.name)
	}
	if got.SpanKind() != want.kind {
		t.Errorf("%s: kind %v, want %v", got.Name(), got.SpanKind(), want.kind)
	}
	if got.Parent().SpanID() != want.parent.SpanID() || (want.parent.IsValid() && got.SpanContext().TraceID() != want.parent.TraceID()) {
		t.Errorf("%s: parent %v of trace %v, want %v of %v", got.Name(), got.Parent().SpanID(), got.SpanContext().TraceID(), want.parent.SpanID(), want.parent.TraceID())
	}
	var links []trace.SpanContext
	for _, l := range got.Links() {
		links = append(links, l.SpanContext)
	}
	if !slices.EqualFunc(links, want.links, func(a, b trace.SpanContext) bool {
		return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
	}) {
		t.Errorf("%s: links %v, want %v", got.Name(), links, want.links)
	}
	if got.Status() != want.status {
		t.Errorf("%s: status %+v, want %+v", got.Name(), got.Status(), want.status)
	}
	if len(got.Events()) != 0 {
		t.Errorf("%s: events %v, want none", got.Name(), got.Events())
	}
	gotSet, wantSet := attribute.NewSet(got.Attributes()...), attribute.NewSet(want.attributes...)
	if !gotSet.Equals(&wantSet) {
		t.Errorf("%s: attributes\n  got  %s\n  want %s", got.Name(),
			gotSet.Encoded(attribute.DefaultEncoder()), wantSet.Encoded(attribute.DefaultEncoder()))
	}
	if scope := got.InstrumentationScope(); scope.Name != tracing.ScopeName || scope.Version != tracing.Version || scope.SchemaURL == "" {
		t.Errorf("%s: scope %+v", got.Name(), scope)
	}
}

// failed is the status of a span that ended with err.
func failed(err error) sdktrace.Status {
	return sdktrace.Status{Code: codes.Error, Description: err.Error()}
}
