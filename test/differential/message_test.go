package differential

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// content is what a message of a script consists of, but for its topic. Its number can be told from its timestamp or
// its value.
type content struct {
	n         int
	key       []byte
	value     []byte
	headers   []kafka.Header
	shared    bool // the headers are a slice of an array that other messages use as well
	timestamp bool
}

// epoch is the timestamp of message 0; that of message n is n milliseconds later.
var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *content) time() time.Time {
	if !c.timestamp {
		return time.Time{}
	}
	return epoch.Add(time.Duration(c.n) * time.Millisecond)
}

// tells reports whether the value tells the number.
func (c *content) tells() bool { return len(c.value) > 0 }

// numberOf returns the number of a message, sent or received, from its content; -1 if it has none.
func numberOf(msg *kafka.Message) int {
	if since := msg.Timestamp.Sub(epoch); since >= 0 && since < time.Hour {
		return int(since.Milliseconds())
	}
	n := -1
	_, _ = fmt.Sscanf(string(msg.Value), "value %d", &n)
	return n
}

// kinds tell of what kind the parts of a message are.
type kinds struct {
	value, key, headers string
	timestamp           bool
}

// drawKinds draws a message. Its value tells its number if told is set.
func drawKinds(t *rapid.T, told bool) kinds {
	values := []string{"short", "long"}
	if !told {
		values = append(values, "nil", "empty")
	}
	return kinds{
		value:     rapid.SampledFrom(values).Draw(t, "value"),
		key:       rapid.SampledFrom([]string{"nil", "empty", "short", "various", "binary"}).Draw(t, "key"),
		headers:   rapid.SampledFrom([]string{"none", "empty", "one", "various", "shared", "many", "forwarded", "broken"}).Draw(t, "headers"),
		timestamp: rapid.Bool().Draw(t, "timestamp"),
	}
}

// content makes the n-th message of a script.
func (k kinds) content(n int) content {
	value := fmt.Appendf(nil, "value %d", n)
	c := content{
		n:       n,
		value:   map[string][]byte{"short": value, "long": append(value, strings.Repeat(" long", 100)...), "empty": {}}[k.value],
		key:     map[string][]byte{"short": []byte("key"), "various": fmt.Appendf(nil, "key %d", n), "binary": {0xff, 0}, "empty": {}}[k.key],
		headers: headersOf(k.headers, n),
		shared:  k.headers == "shared",
	}
	c.timestamp = k.timestamp || !c.tells()
	return c
}

const traceparentOfAnother = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func headersOf(kind string, n int) []kafka.Header {
	switch kind {
	case "empty":
		return []kafka.Header{}
	case "one", "shared":
		return []kafka.Header{{Key: "n", Value: fmt.Append(nil, n)}}
	case "various":
		return []kafka.Header{
			{Key: "a", Value: []byte("1")},
			{Key: "nil"},
			{Key: "a", Value: []byte{}},
			{Key: "A", Value: []byte{0xff, 0, 0xfe}},
			{Key: "", Value: []byte("no name")},
			{Key: "a", Value: []byte("1")},
		}
	case "many":
		return slices.Repeat([]kafka.Header{{Key: "x", Value: []byte("y")}, {Key: "n", Value: fmt.Append(nil, n)}}, 20)
	case "forwarded": // as a message that came from elsewhere
		return []kafka.Header{
			{Key: "first", Value: []byte("1")},
			{Key: "traceparent", Value: []byte(traceparentOfAnother)},
			{Key: "tracestate", Value: []byte("vendor=1")},
			{Key: "between", Value: []byte("2")},
			{Key: "baggage", Value: []byte("user=7")},
			{Key: "last", Value: []byte("3")},
		}
	case "broken":
		return []kafka.Header{
			{Key: "traceparent", Value: []byte("00-zz")},
			{Key: "traceparent", Value: nil},
			{Key: "traceparent", Value: []byte("\xff")},
			{Key: "kept", Value: []byte("1")},
		}
	default:
		return nil
	}
}

// template is an array of headers that several messages of a player share, with room behind what they use.
type template []kafka.Header

func newTemplate() template {
	t := make(template, 3, 8)
	for i := range t[:cap(t)] {
		t[:cap(t)][i] = kafka.Header{Key: "template", Value: fmt.Append(nil, i)}
	}
	return t
}

// message makes the message for a topic.
func (c *content) message(topic string, shared template) *kafka.Message {
	msg := &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic},
		Key:            slices.Clone(c.key),
		Value:          slices.Clone(c.value),
		Timestamp:      c.time(),
		Headers:        slices.Clone(c.headers),
	}
	for i := range msg.Headers {
		msg.Headers[i].Value = slices.Clone(msg.Headers[i].Value)
	}
	if c.shared {
		msg.Headers = shared
	}
	return msg
}

// sent are the headers that the message is produced with.
func (c *content) sent() []kafka.Header {
	if c.shared {
		return newTemplate()
	}
	return c.headers
}

// isPropagation tells a header that belongs to the propagators.
func isPropagation(h kafka.Header) bool {
	return slices.Contains([]string{"traceparent", "tracestate", "baggage"}, h.Key)
}

// withoutPropagation returns headers without those of the propagators; nil if there are no others.
func withoutPropagation(headers []kafka.Header) (others []kafka.Header) {
	for _, h := range headers {
		if !isPropagation(h) {
			others = append(others, h)
		}
	}
	return others
}

// quote renders bytes so that nil and empty differ.
func quote(b []byte) string {
	switch {
	case b == nil:
		return "nil"
	case len(b) > 1000:
		return fmt.Sprintf("%.20q, %d bytes, sum %x", b, len(b), crc32.ChecksumIEEE(b))
	default:
		return fmt.Sprintf("%q", b)
	}
}

func quoteHeaders(headers []kafka.Header) string {
	parts := make([]string, len(headers))
	for i, h := range headers {
		parts[i] = fmt.Sprintf("%q=%s", h.Key, quote(h.Value))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// describe renders an error with all that the application can ask it for.
func describe(err error) string {
	if err == nil {
		return "no error"
	}
	e, ok := err.(kafka.Error)
	if !ok {
		return fmt.Sprintf("%T %v", err, err)
	}
	return fmt.Sprintf("kafka.Error %d %q fatal=%t retriable=%t timeout=%t abort=%t",
		e.Code(), e.Error(), e.IsFatal(), e.IsRetriable(), e.IsTimeout(), e.TxnRequiresAbort())
}

// codeOf returns the code of a client's error, and false for another error.
func codeOf(err error) (kafka.ErrorCode, bool) {
	if err == nil {
		return kafka.ErrNoError, true
	}
	e, ok := err.(kafka.Error)
	return e.Code(), ok
}

// snapshot renders all of a message, and what lies behind its headers in their array.
func snapshot(msg *kafka.Message) string {
	if msg == nil {
		return "nil"
	}
	topic := "nil"
	if msg.TopicPartition.Topic != nil {
		topic = *msg.TopicPartition.Topic
	}
	tp := msg.TopicPartition
	tp.Topic = nil
	return fmt.Sprint(topic, tp, quote(msg.Key), quote(msg.Value), msg.Timestamp.UnixNano(), msg.TimestampType, msg.Opaque,
		msg.Headers == nil, len(msg.Headers), quoteHeaders(msg.Headers[:cap(msg.Headers)]), msg.LeaderEpoch)
}
