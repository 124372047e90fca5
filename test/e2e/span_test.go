//go:build integration

package e2e

import (
	"maps"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// attributes are those of a span as the wire has them.
type attributes = map[string]any

// messagingAttributes are those that all spans of the library have. A client that knows several servers names none.
func messagingAttributes(bootstrap, clientID, topic, operation, operationType string) attributes {
	attrs := attributes{
		"messaging.system":           "kafka",
		"messaging.client.id":        clientID,
		"messaging.destination.name": topic,
		"messaging.operation.name":   operation,
		"messaging.operation.type":   operationType,
	}
	if host, port, err := net.SplitHostPort(bootstrap); err == nil && !strings.Contains(bootstrap, ",") {
		n, _ := strconv.ParseInt(port, 10, 64)
		attrs["server.address"], attrs["server.port"] = host, n
	}
	return attrs
}

// addMessage adds what a message says of itself, as the broker has it.
func addMessage(to attributes, msg *kafka.Message) attributes {
	maps.Copy(to, attributes{
		"messaging.destination.partition.id": strconv.Itoa(int(msg.TopicPartition.Partition)),
		"messaging.kafka.offset":             int64(msg.TopicPartition.Offset),
		"messaging.message.body.size":        int64(len(msg.Value)),
	})
	if msg.Key != nil {
		to["messaging.kafka.message.key"] = string(msg.Key)
	}
	return to
}

// wantSpan is all that a test can say of a span that succeeded. A span of the library has its scope.
type wantSpan struct {
	service    string
	name       string
	kind       trace.SpanKind
	parent     otlpsink.Span // zero: a root
	scope      string        // empty: the library's
	attributes attributes
}

// assertSpan compares all of a span: what is not wanted must not be there.
func assertSpan(t *testing.T, got otlpsink.Span, want wantSpan) {
	t.Helper()
	if want.scope == "" {
		want.scope = tracing.ScopeName
	}
	if got.Service != want.service || got.Name != want.name || got.Kind != want.kind || got.Scope != want.scope {
		t.Errorf("got %v of scope %s, want %s %s of %s, kind %v", got, got.Scope, want.service, want.name, want.scope, want.kind)
	}
	if got.ParentID != want.parent.SpanID || (want.parent.SpanID.IsValid() && got.TraceID != want.parent.TraceID) {
		t.Errorf("got %v, want the parent %v", got, want.parent)
	}
	if got.Status != codes.Unset || got.Message != "" || len(got.Events) != 0 || len(got.Links) != 0 {
		t.Errorf("%v: status %v %q, events %v, links %v, want none of them", got, got.Status, got.Message, got.Events, got.Links)
	}
	if !reflect.DeepEqual(got.Attributes, want.attributes) {
		t.Errorf("%v: attributes\n got  %v\n want %v", got, got.Attributes, want.attributes)
	}
	if got.Start.After(got.End) || got.Start.Before(want.parent.Start) {
		t.Errorf("%v lasts from %v to %v, its parent from %v", got, got.Start, got.End, want.parent.Start)
	}
}

// children returns the spans whose parent is the one given.
func children(spans []otlpsink.Span, parent otlpsink.Span) []otlpsink.Span {
	var found []otlpsink.Span
	for i := range spans {
		if spans[i].TraceID == parent.TraceID && spans[i].ParentID == parent.SpanID {
			found = append(found, spans[i])
		}
	}
	return found
}

// onlyChild returns the one child of a span.
func onlyChild(t *testing.T, spans []otlpsink.Span, parent otlpsink.Span) otlpsink.Span {
	t.Helper()
	found := children(spans, parent)
	if len(found) != 1 {
		t.Fatalf("%v has the children %v, want one", parent, found)
	}
	return found[0]
}
