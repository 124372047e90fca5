//go:build integration

package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// shop is a broker with a topic of orders, and a collector that sends to a sink in Jaeger's place: what
// docker-compose.yml has.
type shop struct {
	t         *testing.T
	bootstrap string
	topic     string
	sink      *otlpsink.Sink
	env       []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, bootstrap: kafkatest.Shared(t)}
	s.topic = kafkatest.NewTopic(t, s.bootstrap, 3)
	var err error
	if s.sink, err = otlpsink.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sink.Close)
	collector, err := collectortest.Start(patient(t), collectortest.Config{Jaeger: s.sink.Endpoint()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := collector.Close(); err != nil {
			t.Error(err)
		}
	})
	s.env = []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector.GRPC(),
		"KAFKA_BOOTSTRAP_SERVERS=" + s.bootstrap, "KAFKA_TOPIC=" + s.topic, "KAFKA_GROUP=" + s.topic,
	}
	return s
}

func (s *shop) produce(orders int) *program {
	s.t.Helper()
	return start(s.t, s.env, examples.path(s.t, "producer"), "-messages", strconv.Itoa(orders), "-interval", "4ms")
}

func (s *shop) consume() *program {
	s.t.Helper()
	return start(s.t, s.env, examples.path(s.t, "consumer"))
}

// logged is a line of an example's log.
type logged struct {
	Msg, Order, Topic string
	TraceID           string `json:"trace_id"`
	Partition         int32
	Offset            int64
}

// handled returns the orders that the consumer says it has handled.
func handled(lines []string) []logged {
	var orders []logged
	for _, line := range lines {
		var l logged
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "order handled" {
			orders = append(orders, l)
		}
	}
	return orders
}

// Each order is one trace over both services, whose every attribute is what the broker has.
func TestOrdersAreTracedAcrossServices(t *testing.T) {
	t.Parallel()
	const orders = 30
	s := newShop(t)
	producer, consumer := s.produce(orders), s.consume()
	producer.done()
	consumer.wait("every order handled", func(lines []string) bool { return len(handled(lines)) == orders })
	consumer.stop()

	spans, err := s.sink.WaitForSpans(patient(t), func(spans []otlpsink.Span) bool { return len(spans) >= 4*orders })
	if err != nil {
		t.Fatal(err)
	}
	if len(spans) != 4*orders {
		t.Fatalf("%d spans, want 4 for each of %d orders", len(spans), orders)
	}
	requests := map[string]otlpsink.Span{} // By the traceparent that the message must have.
	for _, request := range spans {
		if !request.ParentID.IsValid() {
			publish := onlyChild(t, spans, request)
			requests["00-"+publish.TraceID.String()+"-"+publish.SpanID.String()+"-01"] = request
		}
	}
	msgs := messagesOf(t, s.bootstrap, s.topic, "read_committed")
	if len(msgs) != orders || len(requests) != orders {
		t.Fatalf("%d messages and %d traces, want %d", len(msgs), len(requests), orders)
	}
	for _, msg := range msgs {
		traceparent := header(msg, "traceparent")
		if len(traceparent) != 1 || len(msg.Headers) != 1 {
			t.Fatalf("message %v has the headers %v, want one traceparent", msg, msg.Headers)
		}
		request, ok := requests[traceparent[0]]
		if !ok {
			t.Fatalf("message %v has the traceparent %s, which is no publish span's", msg, traceparent)
		}
		publish := onlyChild(t, spans, request)
		receive := onlyChild(t, spans, publish)
		process := onlyChild(t, spans, receive)
		assertSpan(t, request, wantSpan{
			service: "order-producer", name: "POST /orders", kind: trace.SpanKindServer, scope: "examples/producer",
			attributes: attributes{"order.id": string(msg.Key)},
		})
		assertSpan(t, publish, wantSpan{
			service: "order-producer", name: "kafka.publish", kind: trace.SpanKindProducer, parent: request,
			attributes: addMessage(messagingAttributes(s.bootstrap, "order-producer", s.topic, "publish", "send"), msg),
		})
		consumed := func(operation string) attributes {
			attrs := addMessage(messagingAttributes(s.bootstrap, "order-consumer", s.topic, operation, operation), msg)
			attrs["messaging.consumer.group.name"] = s.topic
			return attrs
		}
		assertSpan(t, receive, wantSpan{
			service: "order-consumer", name: "kafka.receive", kind: trace.SpanKindConsumer, parent: publish, attributes: consumed("receive"),
		})
		assertSpan(t, process, wantSpan{
			service: "order-consumer", name: "kafka.process", kind: trace.SpanKindConsumer, parent: receive, attributes: consumed("process"),
		})
		if receive.End.After(process.Start) {
			t.Errorf("the receive span ends at %v, the process span starts at %v", receive.End, process.Start)
		}
	}
}

// A consumer that is killed in the middle loses no order; one that is asked to end handles none twice, commits what it
// has handled and exports its spans. So does a producer that is asked to end.
func TestConsumerKilledInTheMiddleLosesNoOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.env = append(s.env, "OTEL_BSP_MAX_QUEUE_SIZE=100000") // A queue that is full drops spans.
	offsets := newCommitted(t, s.bootstrap, s.topic, s.topic)
	producer, first := s.produce(0), s.consume()
	eventually(t, "a commit", func() bool { return slices.Max(offsets.offsets()) > 0 })
	sofar := len(handled(first.output.all()))
	first.wait("more orders handled", func(lines []string) bool { return len(handled(lines)) > sofar+50 })
	first.kill()
	second := s.consume()
	producer.stop()

	times := map[string]int{}
	for _, msg := range messagesOf(t, s.bootstrap, s.topic, "read_committed") {
		times[string(msg.Key)] = 0
	}
	orders := len(times)
	before := handled(first.output.all())
	for _, order := range before {
		times[order.Order]++
	}
	// Not every order: those before are handled, but some of them not committed, and so handled again.
	ends := offsets.ends()
	second.wait("the last order of each partition", func(lines []string) bool {
		next := offsets.offsets()
		for _, order := range handled(lines) {
			next[order.Partition] = max(next[order.Partition], order.Offset+1)
		}
		return slices.Equal(next, ends)
	})
	second.stop()
	after := handled(second.output.all())
	twice := 0
	for _, order := range after {
		times[order.Order]++
		if times[order.Order] > 1 {
			twice++
		}
	}
	if len(times) != orders || len(after) != orders-len(before)+twice {
		t.Errorf("%d orders sent, %d handled, then %d, %d of them twice", orders, len(before), len(after), twice)
	}
	t.Logf("%d orders: %d handled by the consumer that was killed, %d by the next; %d twice", orders, len(before), len(after), twice)

	if got := offsets.offsets(); !slices.Equal(got, ends) {
		t.Errorf("the group has committed %v, want the ends %v", got, ends)
	}
	for order, n := range times {
		if n == 0 {
			t.Errorf("%s is lost", order)
		}
	}
	assertExported(t, s, after)
	assertPublished(t, s, orders)
}

// assertPublished waits until a publish span has arrived for every order, and no more.
func assertPublished(t *testing.T, s *shop, orders int) {
	t.Helper()
	published := 0
	_, err := s.sink.WaitForSpans(patient(t), func(spans []otlpsink.Span) bool {
		published = 0
		for i := range spans {
			if spans[i].Name == "kafka.publish" {
				published++
			}
		}
		return published >= orders
	})
	if err != nil || published != orders {
		t.Errorf("%d publish spans, want %d", published, orders)
	}
}

// assertExported waits until a receive and a process span has arrived for every order.
func assertExported(t *testing.T, s *shop, orders []logged) {
	t.Helper()
	type position struct {
		name, trace, partition string
		offset                 int64
	}
	missing := map[position]bool{}
	spans, err := s.sink.WaitForSpans(patient(t), func(spans []otlpsink.Span) bool {
		clear(missing)
		for _, order := range orders {
			for _, name := range []string{"kafka.receive", "kafka.process"} {
				missing[position{name, order.TraceID, strconv.Itoa(int(order.Partition)), order.Offset}] = true
			}
		}
		for i := range spans {
			span := &spans[i]
			partition, _ := span.Attributes["messaging.destination.partition.id"].(string)
			offset, _ := span.Attributes["messaging.kafka.offset"].(int64)
			delete(missing, position{span.Name, span.TraceID.String(), partition, offset})
		}
		return len(missing) == 0
	})
	if err != nil {
		t.Errorf("of %d spans that arrived none is %v", len(spans), missing)
	}
}
