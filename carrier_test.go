package tracing_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/baggage"

	"github.com/kafkatrace/tracing"
)

func TestCarrierReads(t *testing.T) {
	t.Parallel()
	carrier := tracing.NewMessageCarrier(headed(
		header("a", "1"), header("A", "upper"), header("a", "2"), kafka.Header{Key: "a"},
		header("bin", "\xff\x00"), header("empty", ""), kafka.Header{Key: "null"}, header("", "no name"),
	))
	for key, want := range map[string]string{
		"a": "2", "A": "upper", "bin": "\xff\x00", "empty": "", "null": "", "": "no name", "absent": "",
	} {
		if got := carrier.Get(key); got != want {
			t.Errorf("Get(%q) = %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string][]string{
		"a": {"1", "2"}, "A": {"upper"}, "empty": {""}, "null": nil, "absent": nil, "": {"no name"},
	} {
		if got := carrier.Values(key); !slices.Equal(got, want) {
			t.Errorf("Values(%q) = %q, want %q", key, got, want)
		}
	}
	if got, want := carrier.Keys(), []string{"a", "A", "bin", "empty", "null", ""}; !slices.Equal(got, want) {
		t.Errorf("Keys() = %q, want %q", got, want)
	}
}

func TestCarrierSets(t *testing.T) {
	t.Parallel()
	msg := headed(header("a", "1"), header("A", "upper"), header("b", "x"), header("a", "2"), header("b", "y"), kafka.Header{Key: "a"})
	carrier := tracing.NewMessageCarrier(msg)
	carrier.Set("a", "new")
	want := headerLines([]kafka.Header{header("A", "upper"), header("b", "x"), header("b", "y"), header("a", "new")})
	if got := headerLines(msg.Headers); got != want {
		t.Errorf("headers %s, want %s", got, want)
	}
	carrier.Set("c", "")
	if got := headerLines(msg.Headers); got != want+headerLines([]kafka.Header{{Key: "c", Value: []byte{}}}) {
		t.Errorf("headers %s", got)
	}
}

// Two messages may share one array of headers, with room at its end.
func TestCarrierSetCopies(t *testing.T) {
	t.Parallel()
	shared := make([]kafka.Header, 2, 8)
	shared[0], shared[1] = header("a", "1"), header("traceparent", "old")
	first, second := headed(shared...), headed(shared...)
	tracing.NewMessageCarrier(first).Set("traceparent", "one")
	tracing.NewMessageCarrier(second).Set("traceparent", "two")
	if got := headerLines(shared[:3]); got != headerLines([]kafka.Header{header("a", "1"), header("traceparent", "old"), {}}) {
		t.Errorf("the shared array is %s", got)
	}
	if one, two := tracing.NewMessageCarrier(first).Get("traceparent"), tracing.NewMessageCarrier(second).Get("traceparent"); one != "one" || two != "two" {
		t.Errorf("set %q and %q", one, two)
	}
}

// The zero carrier and one without a message are empty.
func TestCarrierWithoutMessage(t *testing.T) {
	t.Parallel()
	for _, carrier := range []tracing.MessageCarrier{{}, tracing.NewMessageCarrier(nil)} {
		carrier.Set("a", "b")
		if carrier.Get("a") != "" || carrier.Values("a") != nil || len(carrier.Keys()) != 0 {
			t.Error("it holds something")
		}
	}
}

func TestCarrierTenThousandHeaders(t *testing.T) {
	t.Parallel()
	headers := make([]kafka.Header, 0, 10_001)
	for i := range 10_000 {
		headers = append(headers, header(fmt.Sprintf("k%d", i%5000), "v"))
	}
	msg := headed(append(headers, traceparent(spanContext(1)))...)
	carrier := tracing.NewMessageCarrier(msg)
	if got := len(carrier.Keys()); got != 5001 {
		t.Errorf("%d keys", got)
	}
	if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(1)) {
		t.Errorf("read as %+v", got)
	}
	carrier.Set("k7", "new")
	if got := len(msg.Headers); got != 10_000 {
		t.Errorf("%d headers", got)
	}
}

// What reading a context allocates is bounded, whatever the headers hold: garbage
// in one giant value, or in many that add up to one.
func TestCarrierAllocationsDoNotFollowGarbage(t *testing.T) { //nolint:paralleltest // It measures memory.
	const mega = 8 << 20
	giant := strings.Repeat("a=b,", mega/4)
	many := make([]kafka.Header, 0, 512)
	for range cap(many) {
		many = append(many, header("baggage", giant[:mega/cap(many)]))
	}
	for name, headers := range map[string][]kafka.Header{
		"giant values":     {header("traceparent", giant), header("tracestate", giant), header("baggage", giant)},
		"giant tracestate": {traceparent(spanContext(1)), header("tracestate", giant)},
		"many values":      many,
	} {
		msg := headed(headers...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tracing.ContextFromMessage(context.Background(), msg)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > mega/16 {
			t.Errorf("%s of %d bytes: %d bytes allocated", name, mega, got)
		}
	}
}

func FuzzMessageCarrier(f *testing.F) {
	f.Add("traceparent", []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "tracestate", []byte("a=b"), "traceparent")
	f.Add("a", []byte{0xff}, "a", []byte{}, "a")
	f.Add("", []byte(nil), "A", []byte("x"), "a")
	f.Fuzz(func(t *testing.T, key1 string, value1 []byte, key2 string, value2 []byte, key string) {
		headers := []kafka.Header{{Key: key1, Value: value1}, {Key: key2, Value: value2}, {Key: key1}, {Key: key2, Value: value1}}
		before := headerLines(headers)
		msg := headed(headers...)
		carrier := tracing.NewMessageCarrier(msg)

		values := carrier.Values(key)
		if got := carrier.Get(key); len(value1)+len(value2) < 16<<10 && ((len(values) == 0 && got != "") || (len(values) > 0 && got != values[len(values)-1])) {
			t.Errorf("Get %q is not the last of Values %q", got, values)
		}
		carrier.Set(key, string(value2))
		if got := carrier.Get(key); got != string(value2) && len(value2) <= 64<<10 {
			t.Errorf("set %q, got %q", value2, got)
		}
		named := 0
		for _, h := range msg.Headers {
			if h.Key == key {
				named++
			}
		}
		keys := carrier.Keys()
		if named != 1 || !slices.Contains(keys, key) || len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
			t.Errorf("%d headers named %q, keys %q", named, key, keys)
		}
		var others []kafka.Header
		for _, h := range headers {
			if h.Key != key {
				others = append(others, h)
			}
		}
		if got := headerLines(msg.Headers[:len(msg.Headers)-1]); got != headerLines(others) {
			t.Errorf("the others are %s, not %s", got, headerLines(others))
		}
		if after := headerLines(headers); after != before {
			t.Errorf("the array is changed from %s to %s", before, after)
		}
	})
}

func FuzzExtract(f *testing.F) {
	valid := traceparent(spanContext(1)).Value
	f.Add(valid, []byte("a=b,c=d"), []byte("user=7;x=y"), byte(0))
	f.Add(bytes.ToUpper(valid), []byte(strings.Repeat("k=v,", 40)), []byte("\xff"), byte(1))
	f.Add([]byte("00--"), []byte(nil), []byte(strings.Repeat("k=v,", 4000)), byte(2))
	f.Add(append([]byte("01"), valid[2:]...), []byte("=,="), []byte("%zz=%"), byte(3))
	f.Fuzz(func(t *testing.T, parent, state, bag []byte, repeat byte) {
		var headers []kafka.Header
		for range int(repeat)%4 + 1 {
			headers = append(headers, kafka.Header{Key: "traceparent", Value: parent},
				kafka.Header{Key: "tracestate", Value: state}, kafka.Header{Key: "baggage", Value: bag})
		}
		before := headerLines(headers)
		ctx := tracing.ContextFromMessage(context.Background(), headed(headers...))
		sc := spanIn(ctx)
		if sc.IsValid() && !strings.Contains(strings.ToLower(string(parent)), sc.TraceID().String()+"-"+sc.SpanID().String()) {
			t.Errorf("%q is read as %+v", parent, sc)
		}
		if !sc.IsValid() && (sc.TraceState().Len() > 0 || sc.IsSampled()) {
			t.Errorf("an invalid context with %+v", sc)
		}
		if s := baggage.FromContext(ctx).String(); !utf8.ValidString(s) {
			t.Errorf("baggage %q", s)
		}
		if after := headerLines(headers); after != before {
			t.Errorf("the headers are changed to %s", after)
		}
	})
}
