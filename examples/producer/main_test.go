package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/examples/internal/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	backend := otlptest.NewServer(t)
	broker := newBroker(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+backend.Addr)
	t.Setenv("KAFKA_BOOTSTRAP_SERVERS", broker.BootstrapServers())
	t.Setenv("KAFKA_TOPIC", "not this one")
	if err := run(t.Context(), []string{"-topic", "shop", "-messages", "5", "-interval", "1ms"}); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"messaging.client.sent.messages", "messaging.client.operation.duration"} {
		if !slices.Contains(backend.Metrics(), otlptest.Metric{Service: "order-producer", Name: name}) {
			t.Errorf("metric %s is not exported, but %v", name, backend.Metrics())
		}
	}

	// Every order is there, with its key and the context of its own span.
	spans := make(map[string]otlptest.Span)
	for _, s := range backend.Spans() {
		spans[string(s.GetSpanId())] = s
		if s.Service != "order-producer" {
			t.Errorf("span of %s, want order-producer", s.Service)
		}
	}
	if len(spans) != 10 {
		t.Errorf("%d spans exported, want a request and a publish for each of 5 orders", len(spans))
	}
	for _, msg := range read(t, broker, "shop", 5) {
		var o order
		if err := json.Unmarshal(msg.Value, &o); err != nil || o.ID != string(msg.Key) || o.Cents == 0 {
			t.Errorf("message %q: %s is not its order: %v", msg.Key, msg.Value, err)
		}
		for _, h := range msg.Headers {
			if h.Key != "traceparent" {
				continue
			}
			publish := spans[spanID(t, string(h.Value))]
			request := spans[string(publish.GetParentSpanId())]
			if publish.GetName() != "kafka.publish" || request.GetName() != "POST /orders" {
				t.Errorf("%s carries the context of %q below %q", msg.Key, publish.GetName(), request.GetName())
			}
		}
	}
}

// TestStop checks that what a signal finds on its way is still delivered.
func TestStop(t *testing.T) {
	broker := newBroker(t)
	exportNothing(t)
	if err := broker.CreateTopic("orders", 1, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := run(ctx, []string{"-brokers", broker.BootstrapServers(), "-interval", "1ms"}); err != nil {
		t.Error(err)
	}
}

// TestUndelivered checks that orders that did not arrive make the program fail.
func TestUndelivered(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the flush timeout")
	}
	exportNothing(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	err = run(t.Context(), []string{"-brokers", listener.Addr().String(), "-messages", "2", "-interval", "1ms"})
	if err == nil || !strings.Contains(err.Error(), "2 of 2 orders were not delivered") {
		t.Errorf("error is %v, want one that says what was not delivered", err)
	}
}

func exportNothing(t *testing.T) {
	t.Helper()
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
}

func newBroker(t *testing.T) *kafka.MockCluster {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "KAFKA_") {
			t.Setenv(name, "")
		}
	}
	broker, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

// read returns the first n messages of a topic.
func read(t *testing.T, broker *kafka.MockCluster, topic string, n int) (messages []*kafka.Message) {
	t.Helper()
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": broker.BootstrapServers(), "group.id": "test", "group.protocol": "consumer",
		"auto.offset.reset": "earliest",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	if err := consumer.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	for len(messages) < n {
		msg, err := consumer.ReadMessage(10 * time.Second)
		if err != nil {
			t.Fatalf("%v after %d messages", err, len(messages))
		}
		messages = append(messages, msg)
	}
	return messages
}

// spanID returns the bytes of the span ID in a traceparent header.
func spanID(t *testing.T, traceparent string) string {
	t.Helper()
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 {
		t.Fatalf("traceparent is %q", traceparent)
	}
	id, err := hex.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	return string(id)
}
