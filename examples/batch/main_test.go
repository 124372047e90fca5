package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/examples/internal/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEmbedded checks the traces that are printed: one of the orders sent, and one
// for each batch handled, which links to each of its orders.
func TestEmbedded(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-embedded", "-messages", "7", "-size", "4"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("output:\n%s", &out)
	for want, n := range map[string]int{
		`└ kafka\.publish_batch orders ×7 `:   1,
		`[├└] kafka\.publish orders\[\d\]@\d`: 7,
	} {
		if got := len(regexp.MustCompile(want).FindAllString(out.String(), -1)); got != n {
			t.Errorf("%d lines are like %s, want %d", got, want, n)
		}
	}
	received := regexp.MustCompile(`kafka\.receive orders(\[\d\])?(@\d)? ×\d`).FindAllString(out.String(), -1)
	processed := regexp.MustCompile(`└ kafka\.process orders(\[\d\])?(@\d)? ×\d`).FindAllString(out.String(), -1)
	inserts := strings.Count(out.String(), "└ INSERT INTO orders")
	if len(received) < 2 || len(processed) != len(received) || inserts != len(received) {
		t.Errorf("%d batches received, %d processed, %d inserted, want as many of each, and 2 or more", len(received), len(processed), inserts)
	}
	if n := strings.Count(out.String(), "linked to kafka.publish orders["); n != 2*7 {
		t.Errorf("%d links, want one from the receive and one from the process span for each of 7 orders", n)
	}
}

// TestOnBroker runs against a broker outside of the program, with what others have
// left in the topic.
func TestOnBroker(t *testing.T) {
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
	if _, err := importOrders(t.Context(), broker.BootstrapServers(), "shop", 2); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"-brokers", broker.BootstrapServers(), "-topic", "shop", "-group", "test", "-messages", "10", "-size", "4"}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("printed:\n%s", &out)
	}
	count, linked := map[string]int{}, 0
	for _, s := range backend.Spans() {
		count[s.GetName()]++
		if s.GetName() == "kafka.process" {
			linked += len(s.GetLinks())
		}
	}
	if count["kafka.publish"] != 10 || count["kafka.publish_batch"] != 1 || count["kafka.process"] < 3 || linked < 10 {
		t.Errorf("spans %v, with %d links from batches to orders, want 10 orders sent at once, handled in 3 batches or more", count, linked)
	}
}
