package tracing_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kafkatrace/tracing"
)

// TestGlobals runs TestGlobalsAlone in a process of its own: it sets the global
// providers and propagator, which would be those of every other test.
func TestGlobals(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGlobalsAlone$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "TRACING_TEST_GLOBALS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestGlobalsAlone") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGlobalsAlone(t *testing.T) { //nolint:paralleltest // It is alone.
	if os.Getenv("TRACING_TEST_GLOBALS") == "" {
		return // TestGlobals runs it.
	}
	c := newCluster(t)
	topic := c.topic(1)
	p, err := tracing.NewProducer(&kafka.ConfigMap{"bootstrap.servers": c.mock.BootstrapServers(), "linger.ms": 0})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	consumer, err := tracing.NewConsumer(c.consumerConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	if err := consumer.Assign([]kafka.TopicPartition{{Topic: &topic}}); err != nil {
		t.Fatal(err)
	}
	pass := func(headers ...kafka.Header) *kafka.Message {
		t.Helper()
		msg := message(topic, "x")
		msg.Headers = headers
		if err := p.Produce(msg, nil); err != nil {
			t.Fatal(err)
		}
		report(t, p.Events())
		return read(t, consumer)
	}

	// Nothing is set: no spans, and W3C contexts pass through.
	w3cHeaders := []kafka.Header{traceparent(spanContext(1)), header("baggage", "user=7")}
	msg := pass(w3cHeaders...)
	if got, want := headerLines(msg.Headers), headerLines(w3cHeaders); got != want {
		t.Errorf("nothing set: headers %s, want %s", got, want)
	}
	if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(1)) {
		t.Errorf("nothing set: continues %+v", got)
	}

	// Set after the clients were made: providers and propagator are used from now on.
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	msg = pass()
	ended := spans.Ended()
	if len(ended) != 2 || ended[1].Parent().SpanID() != ended[0].SpanContext().SpanID() {
		t.Fatalf("without a propagator the spans are %v", ended)
	}
	if got, want := headerLines(msg.Headers), headerLines([]kafka.Header{traceparent(ended[0].SpanContext())}); got != want {
		t.Errorf("without a propagator: headers %s, want %s", got, want)
	}
	c.mr = reader
	if got := c.measured("messaging.client.consumed.messages", attribute.String("messaging.destination.name", topic)); got != 1 {
		t.Errorf("%d messages measured", got)
	}

	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(renamed{}))
	msg = pass()
	ended = spans.Ended()[2:]
	if len(ended) != 2 || ended[1].Parent().SpanID() != ended[0].SpanContext().SpanID() {
		t.Fatalf("with a propagator the spans are %v", ended)
	}
	want := traceparent(ended[0].SpanContext())
	want.Key = "my-traceparent"
	if got := headerLines(msg.Headers); got != headerLines([]kafka.Header{want}) {
		t.Errorf("with a propagator: headers %s, want %s", got, headerLines([]kafka.Header{want}))
	}
	msg.Opaque = nil
	if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); got.SpanID() != ended[0].SpanContext().SpanID() {
		t.Errorf("with a propagator: continues %+v", got)
	}

	// One whose type can be compared, and whose value cannot.
	otel.SetTextMapPropagator(unlisted{propagation.NewCompositeTextMapPropagator(propagation.TraceContext{})})
	msg = &kafka.Message{Headers: []kafka.Header{traceparent(spanContext(1))}}
	if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(1)) {
		t.Errorf("with a propagator that lists no fields: continues %+v", got)
	}
}

// unlisted is a propagator that does not tell its fields.
type unlisted struct{ propagation.TextMapPropagator }

func (unlisted) Fields() []string { return nil }

func TestGlobalsLegacyByEnvironment(t *testing.T) { //nolint:paralleltest // It sets the environment.
	for value, legacy := range map[string]bool{
		"": false, "messaging": false, "http/dup": false, "messaging/dup": true, "http, messaging/dup ,db/dup": true, "xmessaging/dup": false,
	} {
		t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", value)
		c := newCluster(t)
		set := c.receivedAttributes(headed())
		if set.HasValue("messaging.operation") != legacy || !set.HasValue("messaging.operation.name") {
			t.Errorf("%q: %s", value, set.Encoded(attribute.DefaultEncoder()))
		}
	}
}
