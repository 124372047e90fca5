package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
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
	Msg, Topic, Key string
	TraceID         string `json:"trace_id"`
	Partition       int32
	Offset          int64
	Messages        int
}

// TestRun ships orders, one transaction of which is aborted. The broker embedded
// here knows no read_committed and keeps no offsets of transactions: that there is
// one shipment for each order, the tests in test/e2e check on a real one. Here the
// order of events is checked, and the traces.
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
	for _, topic := range []string{"shop", "parcels"} {
		if err := broker.CreateTopic(topic, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, broker)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reader, writer := io.Pipe()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(writer, nil)))
	result := make(chan error, 1)
	go func() {
		result <- run(ctx, []string{"-brokers", broker.BootstrapServers(), "-topic", "shop", "-output", "parcels", "-size", "3", "-abort-every", "2"})
		slog.SetDefault(before)
		_ = writer.Close()
	}()
	var seen []string
	for logs := bufio.NewScanner(reader); logs.Scan(); {
		var e entry
		if err := json.Unmarshal(logs.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", logs.Text(), err)
		}
		line := e.Msg
		if e.Key != "" {
			line += " " + strconv.FormatInt(e.Offset, 10)
		}
		if e.Msg == "order shipped" && (e.Topic != "shop" || e.Key != key(e.Offset) || e.TraceID != traceID(e.Offset)) {
			t.Errorf("shipped: %+v, want the order of its offset in its trace", e)
		}
		seen = append(seen, line)
		if len(seen) == len(want) {
			cancel()
		}
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if got := seen[:min(len(want), len(seen))]; !slices.Equal(got, want) || seen[len(seen)-1] != "stopped" {
		t.Errorf("log is %q, want it to begin with %q and to end with stopped", seen, want)
	}
	checkSpans(t, backend.Spans())
}

// After the abort the program ships again what was in that transaction.
var want = []string{
	"ready",
	"order skipped 1", "order shipped 0", "order shipped 2", "transaction committed",
	"transaction aborted",
	"order shipped 3", "order shipped 4", "order shipped 5", "transaction committed",
}

// checkSpans checks that the span of every shipment is in the trace of its order,
// below the one that processed it, and that the transaction's are below the batch's.
func checkSpans(t *testing.T, spans []otlptest.Span) {
	t.Helper()
	byID, shipments, aborts := map[string]otlptest.Span{}, 0, 0
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	for _, s := range spans {
		parent := byID[string(s.GetParentSpanId())]
		switch s.GetName() {
		case "kafka.publish":
			shipments++
			orderTrace := hex.EncodeToString(s.GetTraceId())
			if parent.GetName() != "kafka.process" || !strings.HasPrefix(orderTrace, tracePrefix) || len(parent.GetLinks()) != 1 {
				t.Errorf("a shipment is published in trace %s, below %q with links %v; want the order's, and a link to the batch", orderTrace, parent.GetName(), parent.GetLinks())
			}
		case "kafka.abort_transaction":
			aborts++
			fallthrough
		case "kafka.send_offsets", "kafka.commit_transaction":
			if parent.GetName() != "kafka.process" || len(parent.GetLinks()) == 0 {
				t.Errorf("%s is below %q, want the batch's span", s.GetName(), parent.GetName())
			}
		}
	}
	if shipments == 0 || aborts == 0 {
		t.Errorf("%d shipments and %d aborts exported", shipments, aborts)
	}
}

const tracePrefix = "4bf92f3577b34da6a3ce929d0e0e47"

func traceID(offset int64) string { return fmt.Sprintf("%s%02x", tracePrefix, offset) }

func key(offset int64) string { return fmt.Sprintf("order-%d", offset) }

// produce sends six orders, each in a trace of its own; the second is none.
func produce(t *testing.T, broker *kafka.MockCluster) {
	t.Helper()
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker.BootstrapServers()})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	topic, reports := "shop", make(chan kafka.Event, 6)
	for i := range int64(6) {
		value := fmt.Sprintf(`{"id":%q,"cents":100}`, key(i))
		if i == 1 {
			value = "not JSON"
		}
		err := producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
			Key:            []byte(key(i)),
			Value:          []byte(value),
			Headers:        []kafka.Header{{Key: "traceparent", Value: []byte("00-" + traceID(i) + "-00f067aa0ba902b7-01")}},
		}, reports)
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		if err := (<-reports).(*kafka.Message).TopicPartition.Error; err != nil {
			t.Fatal(err)
		}
	}
}

func TestNextOffsets(t *testing.T) {
	topic := "shop"
	at := func(partition int32, offset kafka.Offset) kafka.TopicPartition {
		return kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: offset}
	}
	got := nextOffsets([]*kafka.Message{
		{TopicPartition: at(1, 7)}, {TopicPartition: at(0, 3)}, {TopicPartition: at(1, 8)}, {TopicPartition: at(0, 5)},
	})
	if want := []kafka.TopicPartition{at(1, 9), at(0, 6)}; !slices.Equal(got, want) {
		t.Errorf("next offsets are %v, want %v", got, want)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-abort-every", "1"}, {"-abort-every", "-2"}, {"-size", "0"}} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), "at least") {
			t.Errorf("%v: error is %v, want one that says what is allowed", args, err)
		}
	}
}
