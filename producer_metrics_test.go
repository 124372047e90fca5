package tracing_test

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kafkatrace/tracing"
)

// A partition that the application has chosen is on the span, not on the metrics
// unless they are to have it; however the message ends.
func TestProducerMetricsPartition(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]tracing.Option{"off": nil, "on": {tracing.WithPartitionOnMetrics()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(nil, opts...)
			reports := make(chan kafka.Event, 1)
			produce(t, p, message(topic, "delivered"), reports)
			report(t, reports)
			refused := message(topic, "refused")
			refused.Value = make([]byte, 2_000_000)
			if err := p.Produce(refused, nil); codeOf(err) != kafka.ErrMsgSizeTooLarge {
				t.Fatal(err)
			}
			c.brokerDown()
			produce(t, p, message(topic, "abandoned"), nil)
			p.Close()
			if spans := c.ended("kafka.publish"); len(spans) != 3 || attributeOf(spans[2], "messaging.destination.partition.id") != "0" {
				t.Errorf("spans %v", spans)
			}
			for metric, want := range map[string]int{"messaging.client.operation.duration": 3, "messaging.client.sent.messages": 2} {
				all := c.series(metric)
				if len(all) != want {
					t.Errorf("%s: %d series, want %d, one for each outcome", metric, len(all), want)
				}
				for _, s := range all {
					v, has := s.attributes.Value(attribute.Key("messaging.destination.partition.id"))
					outcome, _ := s.attributes.Value("error.type")
					if has != (name == "on" && outcome.AsString() != "_DESTROY") || has && v.AsString() != "0" {
						t.Errorf("%s: attributes %s", metric, s.attributes.Encoded(attribute.DefaultEncoder()))
					}
				}
			}
		})
	}
}
