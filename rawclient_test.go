package tracing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// produceRaw produces messages with the client itself, so that their headers are what
// the test says and no span is made of it, and waits until they are delivered.
func (c *cluster) produceRaw(msgs ...*kafka.Message) {
	c.t.Helper()
	p, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": c.mock.BootstrapServers(), "log_level": 0, "linger.ms": 0,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	reports := make(chan kafka.Event, len(msgs))
	for _, msg := range msgs {
		if err := p.Produce(msg, reports); err != nil {
			c.t.Fatal(err)
		}
	}
	for range msgs {
		if err := report(c.t, reports).TopicPartition.Error; err != nil {
			c.t.Fatal(err)
		}
	}
}

// fillTopic creates a topic of one partition with a message for each value.
func (c *cluster) fillTopic(values ...string) string {
	c.t.Helper()
	topic := c.topic(1)
	msgs := make([]*kafka.Message, len(values))
	for i, v := range values {
		msgs[i] = message(topic, v)
	}
	c.produceRaw(msgs...)
	return topic
}

// consumerConfig is that of [cluster.consumer].
func (c *cluster) consumerConfig(kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{"group.id": "billing", "auto.offset.reset": "earliest", "enable.auto.commit": false, "fetch.wait.max.ms": 20}
	for k, v := range kv {
		conf[k] = v
	}
	return c.config(conf)
}

// rawConsumer is what [cluster.consumer] is, without tracing. The test closes it.
func (c *cluster) rawConsumer(topic string, kv kafka.ConfigMap) *kafka.Consumer {
	c.t.Helper()
	consumer, err := kafka.NewConsumer(c.consumerConfig(kv))
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

// joining is the configuration of a consumer that joins its group at once.
func joining(kv kafka.ConfigMap) kafka.ConfigMap {
	conf := kafka.ConfigMap{"group.protocol": "consumer"}
	for k, v := range kv {
		conf[k] = v
	}
	return conf
}

// both runs the same script against a raw and a traced consumer of the topic, and
// compares what it observed.
func (c *cluster) both(topic string, kv kafka.ConfigMap, script func(t *testing.T, c consumerUnderTest, see func(format string, args ...any))) []string {
	c.t.Helper()
	observe := func(consumer consumerUnderTest) []string {
		var seen []string
		script(c.t, consumer, func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) })
		return seen
	}
	raw := observe(c.rawConsumer(topic, kv))
	traced := observe(c.consumer(topic, kv))
	if strings.Join(raw, "\n") != strings.Join(traced, "\n") {
		c.t.Errorf("observed\n\t%s\nwith the raw client and\n\t%s\nwith the traced one",
			strings.Join(raw, "\n\t"), strings.Join(traced, "\n\t"))
	}
	return traced
}

// spanContext is a sampled, remote context that no span of the test has.
func spanContext(id byte) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xaa, id}, SpanID: trace.SpanID{0xbb, id}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

func traceparent(sc trace.SpanContext) kafka.Header {
	return kafka.Header{
		Key:   "traceparent",
		Value: fmt.Appendf(nil, "00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags()),
	}
}

// headerLines renders headers so that null and empty values differ.
func headerLines(headers []kafka.Header) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "%q=%#v;", h.Key, h.Value)
	}
	return b.String()
}
