package tracing

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

// aClient is a client that need not be.
type aClient struct{}

func (aClient) String() string { return "rdkafka#consumer-1" }
func (aClient) IsClosed() bool { return false }

// What a collection costs beside reading the document; for that see BenchmarkParse.
func BenchmarkStatisticsCollection(b *testing.B) {
	for _, n := range []int{10, 5000} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			reader := sdkmetric.NewManualReader()
			mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithCardinalityLimit(2*n))
			c := newConfig(nil, []Option{WithStatisticsMetrics(), WithMeterProvider(mp), WithConsumerGroup("billing")})
			s := newStatistics(c, aClient{}, clientstats.Consumer)
			defer s.close()
			snapshot := &clientstats.Snapshot{Partitions: make([]clientstats.Partition, n)}
			known := clientstats.Number{Value: 10, Known: true}
			for i := range snapshot.Partitions {
				snapshot.Partitions[i] = clientstats.Partition{
					Topic: "orders", ID: strconv.Itoa(i),
					CommittedLag: known, Committed: known, Stored: known, Consumed: known, HighWatermark: known,
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				s.current = s.common.observed(snapshot)
				var rm metricdata.ResourceMetrics
				if err := reader.Collect(context.Background(), &rm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Nothing is paid for what is off, and next to nothing on the way of a message
// for what is on.
func TestStatisticsCostOfAnEvent(t *testing.T) {
	var event kafka.Event = &kafka.Message{}
	for name, s := range map[string]*statistics{"off": nil, "on": {own: true}} {
		if n := testing.AllocsPerRun(100, func() {
			if s.take(event) {
				t.Error("a message is taken for statistics")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for a message", name, n)
		}
	}
	stats, on := &kafka.Stats{}, &statistics{own: true}
	if n := testing.AllocsPerRun(100, func() { on.take(stats) }); n != 0 {
		t.Errorf("%v allocations for statistics that nobody has collected", n)
	}
}
