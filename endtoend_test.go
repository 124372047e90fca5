package tracing_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// serverAttributes are those of the test's one bootstrap server.
func (c *cluster) serverAttributes() []attribute.KeyValue {
	host, port, err := net.SplitHostPort(c.mock.BootstrapServers())
	if err != nil {
		c.t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		c.t.Fatal(err)
	}
	return []attribute.KeyValue{attribute.String("server.address", host), attribute.Int("server.port", n)}
}

// One trace, from the application's request to the handler of the consumer.
func TestOneTraceFromRequestToHandler(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"client.id": "shop"})
	consumer := c.consumer(topic, kafka.ConfigMap{"client.id": "till"})

	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	reports := make(chan kafka.Event, 1)
	msg := message(topic, "hello")
	msg.Key = []byte("order-1")
	if err := p.ProduceContext(ctx, msg, reports); err != nil {
		t.Fatal(err)
	}
	request.End()
	delivered := report(t, reports)
	if delivered.TopicPartition.Error != nil {
		t.Fatal(delivered.TopicPartition.Error)
	}

	received := read(t, consumer)
	handled := errors.New("card declined")
	err := consumer.Process(context.Background(), received, func(context.Context) error { return handled })
	if !errors.Is(err, handled) {
		t.Fatalf("Process returned %v", err)
	}

	common := func(op, opType, client string) []attribute.KeyValue {
		return append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", op),
			attribute.String("messaging.operation.type", opType),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.client.id", client),
			attribute.String("messaging.kafka.message.key", "order-1"),
			attribute.Int("messaging.message.body.size", 5),
			attribute.String("messaging.destination.partition.id", "0"),
			attribute.Int64("messaging.kafka.offset", int64(delivered.TopicPartition.Offset)),
		)
	}
	group := attribute.String("messaging.consumer.group.name", "billing")

	publish := c.only("kafka.publish")
	assertSpan(t, publish, wantSpan{
		name: "kafka.publish", kind: trace.SpanKindProducer, parent: request.SpanContext(),
		attributes: common("publish", "send", "shop"),
	})
	receive := c.only("kafka.receive")
	assertSpan(t, receive, wantSpan{
		name: "kafka.receive", kind: trace.SpanKindConsumer, parent: publish.SpanContext(),
		attributes: append(common("receive", "receive", "till"), group),
	})
	assertSpan(t, c.only("kafka.process"), wantSpan{
		name: "kafka.process", kind: trace.SpanKindConsumer, parent: receive.SpanContext(),
		status: failed(handled),
		attributes: append(common("process", "process", "till"), group,
			attribute.String("error.type", "*errors.errorString")),
	})
}
