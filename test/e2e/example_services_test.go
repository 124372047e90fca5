//go:build integration

package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// The exactly-once example makes one shipment of each order, in the order's trace, although it aborts transactions and
// is killed twice.
func TestExactlyOnceExample(t *testing.T) {
	t.Parallel()
	const orders, kills = 500, 2
	s := newShop(t)
	s.env = append(s.env, "OTEL_BSP_MAX_QUEUE_SIZE=100000") // A queue that is full drops spans.
	shipments := kafkatest.NewTopic(t, s.bootstrap, 3)
	s.produce(orders).done()
	ship := func() *program {
		return start(t, s.env, examples.path(t, "exactly-once"),
			"-output", shipments, "-transactional-id", shipments, "-size", "25", "-abort-every", "5")
	}
	lines := func(lines []string, msg string) int {
		n := 0
		for _, line := range lines {
			var l logged
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
				n++
			}
		}
		return n
	}
	committedBefore := 0
	for range kills {
		p := ship()
		p.wait("transactions", func(got []string) bool {
			return lines(got, "transaction committed") >= 4 && lines(got, "transaction aborted") >= 1
		})
		p.kill()
		committedBefore += lines(p.output.all(), "order shipped")
	}
	if committedBefore >= orders {
		t.Error("the last kill was not in the middle")
	}
	last := ship()
	offsets := newCommitted(t, s.bootstrap, s.topic, s.topic)
	ends := offsets.ends()
	eventually(t, "every order shipped", func() bool { return slices.Equal(offsets.offsets(), ends) })
	last.stop()

	traces := map[string]trace.TraceID{}
	for _, msg := range messagesOf(t, s.bootstrap, s.topic, "read_committed") {
		traces[string(msg.Key)] = contextOf(t, msg).TraceID()
	}
	shipped, twice := map[string]trace.SpanContext{}, 0
	for _, msg := range messagesOf(t, s.bootstrap, shipments, "read_committed") {
		key := string(msg.Key)
		if _, ok := shipped[key]; ok {
			twice++
		}
		shipped[key] = contextOf(t, msg)
		if shipped[key].TraceID() != traces[key] {
			t.Errorf("%s is shipped in trace %v, ordered in %v", key, shipped[key].TraceID(), traces[key])
		}
	}
	if len(shipped) != orders || len(traces) != orders || twice != 0 {
		t.Fatalf("%d orders, %d shipped, %d of them twice, want %d", len(traces), len(shipped), twice, orders)
	}
	assertShipped(t, s, shipments, shipped, lines(last.output.all(), "order shipped"))
}

// assertShipped waits for the publish spans of at least so many shipments, each a child of the process span of its
// order, which is a child of the order's publish span.
func assertShipped(t *testing.T, s *shop, topic string, shipped map[string]trace.SpanContext, atLeast int) {
	t.Helper()
	ids := map[trace.SpanID]bool{}
	for _, sc := range shipped {
		ids[sc.SpanID()] = true
	}
	complete := 0
	_, err := s.sink.WaitForSpans(patient(t), func(spans []otlpsink.Span) bool {
		byID := map[trace.SpanID]*otlpsink.Span{}
		for i := range spans {
			byID[spans[i].SpanID] = &spans[i]
		}
		complete = 0
		for id := range ids {
			publish := byID[id]
			if publish == nil || publish.Status != codes.Unset || publish.Attributes["messaging.destination.name"] != topic {
				continue
			}
			process := byID[publish.ParentID]
			if process == nil || process.Name != "kafka.process" || process.Service != "order-shipper" {
				continue
			}
			if order := byID[process.ParentID]; order != nil && order.Name == "kafka.publish" && order.Service == "order-producer" {
				complete++
			}
		}
		return complete >= atLeast
	})
	if err != nil || atLeast == 0 {
		t.Errorf("%d shipments are traced from their order, want at least %d", complete, atLeast)
	}
}

// The batch example sends and handles in batches, whose spans link to the trace of each message.
func TestBatchExample(t *testing.T) {
	t.Parallel()
	const orders = 20
	s := newShop(t)
	start(t, s.env, examples.path(t, "batch"), "-messages", "20", "-size", "3").done()
	msgs := messagesOf(t, s.bootstrap, s.topic, "read_committed")
	if len(msgs) != orders {
		t.Fatalf("%d messages, want %d", len(msgs), orders)
	}
	linked := func(spans []otlpsink.Span, name string) map[trace.SpanID]int {
		ids := map[trace.SpanID]int{}
		for i := range spans {
			if spans[i].Name == name {
				for _, link := range spans[i].Links {
					ids[link.SpanID]++
				}
			}
		}
		return ids
	}
	spans, err := s.sink.WaitForSpans(patient(t), func(spans []otlpsink.Span) bool {
		return len(linked(spans, "kafka.receive")) == orders && len(linked(spans, "kafka.process")) == orders
	})
	if err != nil {
		t.Fatal(err)
	}
	receives, processes := linked(spans, "kafka.receive"), linked(spans, "kafka.process")
	for _, msg := range msgs {
		if id := contextOf(t, msg).SpanID(); receives[id] != 1 || processes[id] != 1 {
			t.Errorf("message %s is linked from %d receive and %d process spans, want one each", msg.Key, receives[id], processes[id])
		}
	}
}
