package tracing_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// consumerUnderTest is what a raw and a traced consumer have in common.
type consumerUnderTest = tracing.Consumer

// waysToReceive are the three ways in which a message reaches the application.
var waysToReceive = map[string]func(t *testing.T, c consumerUnderTest) *kafka.Message{
	"Poll": func(t *testing.T, c consumerUnderTest) *kafka.Message {
		t.Helper()
		for {
			switch e := c.Poll(int(patience.Milliseconds())).(type) {
			case *kafka.Message:
				return e
			case nil:
				t.Fatal("nothing arrived")
			}
		}
	},
	"ReadMessage": func(t *testing.T, c consumerUnderTest) *kafka.Message {
		t.Helper()
		return read(t, c)
	},
	"Events": func(t *testing.T, c consumerUnderTest) *kafka.Message {
		t.Helper()
		for {
			if msg, ok := receiveEvent(t, c.Events()).(*kafka.Message); ok {
				return msg
			}
		}
	},
}

func TestConsumerRule01EveryWayIsTraced(t *testing.T) {
	t.Parallel()
	for way, receive := range waysToReceive {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic, creation := c.topic(1), spanContext(1)
			msg := message(topic, "hello")
			msg.Key, msg.Headers = []byte("order-1"), []kafka.Header{traceparent(creation)}
			c.produceRaw(msg)
			consumer := c.consumer(topic, kafka.ConfigMap{"client.id": "till", "go.events.channel.enable": way == "Events"})

			before := time.Now()
			got := receive(t, consumer)
			after := time.Now()
			if string(got.Value) != "hello" || string(got.Key) != "order-1" {
				t.Errorf("received %q, %q", got.Key, got.Value)
			}
			span := c.only("kafka.receive")
			assertSpan(t, span, wantSpan{
				name: "kafka.receive", kind: trace.SpanKindConsumer, parent: creation,
				attributes: append(c.serverAttributes(),
					attribute.String("messaging.system", "kafka"),
					attribute.String("messaging.operation.name", "receive"),
					attribute.String("messaging.operation.type", "receive"),
					attribute.String("messaging.destination.name", topic),
					attribute.String("messaging.destination.partition.id", "0"),
					attribute.String("messaging.consumer.group.name", "billing"),
					attribute.String("messaging.client.id", "till"),
					attribute.String("messaging.kafka.message.key", "order-1"),
					attribute.Int("messaging.message.body.size", 5),
					attribute.Int64("messaging.kafka.offset", 0),
				),
			})
			// It has ended before the call returns, and the wait is not in it.
			if span.EndTime().After(after) || (way != "Events" && span.StartTime().Before(before)) {
				t.Errorf("from %v to %v, not between %v and %v", span.StartTime(), span.EndTime(), before, after)
			}
			if sc := trace.SpanContextFromContext(tracing.ContextFromMessage(context.Background(), got)); !sc.Equal(span.SpanContext()) {
				t.Errorf("the message continues %v, not its receive span", sc)
			}
		})
	}
}

// The wait for a message is in operation.duration, and not in the span, which
// must not begin before its publish.
func TestConsumerRule01TheWaitIsNotInTheSpan(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	consumer := c.consumer(topic, nil)
	polled := make(chan kafka.Event)
	go func() { polled <- consumer.Poll(int(patience.Milliseconds())) }()
	eventually(t, "the client is polled", func() bool { return consumer.Inside() == 1 })
	p := c.producer(nil)
	if err := p.Produce(message(topic, "late"), nil); err != nil {
		t.Fatal(err)
	}
	report(t, p.Events())
	receiveEvent(t, polled)
	if publish, receive := c.only("kafka.publish"), c.only("kafka.receive"); receive.StartTime().Before(publish.StartTime()) {
		t.Errorf("receive starts at %v, before publish at %v", receive.StartTime(), publish.StartTime())
	}
}

// A partition's error with a message, as older clients hand it over and Events()
// may carry it.
func TestConsumerRule01MessageWithAPartitionError(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	consumer := c.consumer("", kafka.ConfigMap{"go.events.channel.enable": true, "client.id": "till"})
	broken := kafka.NewError(kafka.ErrTopicAuthorizationFailed, "no", false)
	consumer.Consumer.Events() <- &kafka.Message{TopicPartition: kafka.TopicPartition{
		Topic: &topic, Partition: 3, Offset: kafka.OffsetInvalid, Error: broken,
	}}
	got := waysToReceive["Events"](t, consumer)
	if got.TopicPartition.Error != broken {
		t.Errorf("error %v", got.TopicPartition.Error)
	}
	assertSpan(t, c.only("kafka.receive"), wantSpan{
		name: "kafka.receive", kind: trace.SpanKindConsumer, status: failed(broken),
		attributes: append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", "receive"),
			attribute.String("messaging.operation.type", "receive"),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.destination.partition.id", "3"),
			attribute.String("messaging.consumer.group.name", "billing"),
			attribute.String("messaging.client.id", "till"),
			attribute.Int("messaging.message.body.size", 0),
			attribute.String("error.type", "TOPIC_AUTHORIZATION_FAILED"),
		),
	})
}

// ReadMessage returns a message and its partition's error, both.
func TestConsumerRule01ReadMessageReturnsMessageAndError(t *testing.T) {
	t.Parallel()
	broken := kafka.NewError(kafka.ErrTopicAuthorizationFailed, "no", false)
	msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Error: broken}}
	got, final, err := tracing.Answer(msg)
	if got != msg || !final || err != broken {
		t.Errorf("a message with an error is answered with %v, %v, %v", got, final, err)
	}
	if got, final, err = tracing.Answer(broken); got != nil || !final || err != broken {
		t.Errorf("an error is answered with %v, %v, %v", got, final, err)
	}
	if got, final, err = tracing.Answer(kafka.PartitionEOF{}); got != nil || final || err != nil {
		t.Errorf("another event is answered with %v, %v, %v", got, final, err)
	}
	if got, final, err = tracing.Answer(nil); got != nil || final || err != nil {
		t.Errorf("no event is answered with %v, %v, %v", got, final, err)
	}
}

func TestConsumerRule03PollersDoNotRace(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const n, pollers = 200, 4
	values := make([]string, n)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	consumer := c.consumer(c.fillTopic(values...), nil)
	var (
		mu   sync.Mutex
		seen = map[string]int{}
		wg   sync.WaitGroup
	)
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	for i := range pollers {
		wg.Go(func() {
			for count() < n {
				var msg *kafka.Message
				if i%2 == 0 {
					msg, _ = consumer.Poll(10).(*kafka.Message)
				} else {
					msg, _ = consumer.ReadMessage(10 * time.Millisecond)
				}
				if msg != nil {
					mu.Lock()
					seen[string(msg.Value)]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for v, times := range seen {
		if times != 1 {
			t.Errorf("message %s arrived %d times", v, times)
		}
	}
	if spans := c.ended("kafka.receive"); len(spans) != n {
		t.Errorf("%d receive spans, not %d", len(spans), n)
	}
}

func TestConsumerRule06HeadersAsOnTheWire(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	msg := message(topic, "x")
	msg.Headers = []kafka.Header{
		{Key: "a", Value: []byte("1")},
		{Key: "tracestate", Value: []byte("x=y")},
		traceparent(spanContext(1)),
		{Key: "a", Value: []byte{}},
		{Key: "A", Value: nil},
		{Key: "bin", Value: []byte{0xff, 0, 0xfe}},
		traceparent(spanContext(2)),
		{Key: "baggage", Value: []byte("user=7")},
		{Key: "", Value: []byte("no name")},
	}
	c.produceRaw(msg, message(topic, "without"))
	seen := c.both(topic, nil, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
		t.Helper()
		see("%s", headerLines(read(t, consumer).Headers))
		see("%#v", read(t, consumer).Headers)
	})
	if want := headerLines(msg.Headers); seen[0] != want {
		t.Errorf("headers %s, want %s", seen[0], want)
	}
	// The last one of duplicates is the most recent.
	if span := c.ended("kafka.receive")[0]; span.Parent().SpanID() != spanContext(2).SpanID() {
		t.Errorf("parent %v, not that of the last traceparent", span.Parent().SpanID())
	}
}
