package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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

// entry is a line of the program's log.
type entry struct {
	Msg, Topic, Key, Order string
	TraceID                string `json:"trace_id"`
	Partition              int32
	Offset                 int64
}

// TestRun stops the consumer in the middle. Until then each order is handled in
// the trace that its message came with, and a message that is no order holds
// nothing up; what was handled is committed, no more and no less.
func TestRun(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "KAFKA_") {
			t.Setenv(name, "")
		}
	}
	backend := otlptest.NewServer(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+backend.Addr)
	broker, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	if err := broker.CreateTopic("shop", 1, 1); err != nil {
		t.Fatal(err)
	}
	const orders = 6
	traces := produce(t, broker, orders)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	logs := captureLogs(t)
	result := make(chan error, 1)
	go func() {
		result <- run(ctx, []string{"-brokers", broker.BootstrapServers(), "-topic", "shop", "-group", "test"})
		logs.close()
	}()
	var seen []string
	var last entry
	for logs.Scan() {
		var e entry
		if err := json.Unmarshal(logs.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", logs.Text(), err)
		}
		seen = append(seen, e.Msg)
		if e.Msg != "order handled" {
			continue
		}
		if e.Topic != "shop" || e.Key != e.Order || e.TraceID != traces[e.Key] || e.Offset < last.Offset {
			t.Errorf("handled: %+v, want the order of its key in trace %s", e, traces[e.Key])
		}
		last = e
		if e.Key == "order-4" {
			cancel()
		}
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	const want = "ready,order handled,order handled,order handled,order handled,order skipped,order handled,"
	if got := strings.Join(seen, ","); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ",stopped") {
		t.Errorf("log is %s, want it to begin with %s and to end with stopped", got, want)
	}
	if got := committed(t, broker, "test", "shop"); got != last.Offset+1 {
		t.Errorf("offset %d is committed, want %d: next after the last order handled", got, last.Offset+1)
	}

	for _, name := range []string{"messaging.client.consumed.messages", "messaging.process.duration"} {
		if !slices.Contains(backend.Metrics(), otlptest.Metric{Service: "order-consumer", Name: name}) {
			t.Errorf("metric %s is not exported, but %v", name, backend.Metrics())
		}
	}
	failed := 0
	for _, s := range backend.Spans() {
		if s.GetName() == "kafka.process" && s.GetStatus().GetMessage() != "" {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d process spans failed, want that of the message which is no order", failed)
	}
}

// produce sends n orders, each in a trace of its own, and in their midst a
// message that is none. It returns the trace ID of each key.
func produce(t *testing.T, broker *kafka.MockCluster, n int) map[string]string {
	t.Helper()
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker.BootstrapServers()})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	topic, traces := "shop", make(map[string]string)
	reports := make(chan kafka.Event, 1)
	send := func(key, value, traceID string) {
		err := producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
			Key:            []byte(key),
			Value:          []byte(value),
			Headers:        []kafka.Header{{Key: "traceparent", Value: []byte("00-" + traceID + "-00f067aa0ba902b7-01")}},
		}, reports)
		if err != nil {
			t.Fatal(err)
		}
		if err := (<-reports).(*kafka.Message).TopicPartition.Error; err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		key := fmt.Sprintf("order-%d", i)
		traces[key] = fmt.Sprintf("4bf92f3577b34da6a3ce929d0e0e47%02x", i)
		send(key, fmt.Sprintf(`{"id":%q,"cents":100}`, key), traces[key])
		if i == n/2 {
			send("broken", "not JSON", "4bf92f3577b34da6a3ce929d0e0e47ff")
		}
	}
	return traces
}

// committed returns the offset at which a group goes on.
func committed(t *testing.T, broker *kafka.MockCluster, group, topic string) int64 {
	t.Helper()
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": broker.BootstrapServers(), "group.id": group})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	offsets, err := consumer.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, 5000)
	if err != nil {
		t.Fatal(err)
	}
	return int64(offsets[0].Offset)
}

// logLines reads what the program logs.
type logLines struct {
	*bufio.Scanner
	close func()
}

func captureLogs(t *testing.T) logLines {
	t.Helper()
	reader, writer := io.Pipe()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(writer, nil)))
	return logLines{bufio.NewScanner(reader), func() {
		slog.SetDefault(before)
		_ = writer.Close()
	}}
}
