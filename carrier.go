package tracing

import (
	"slices"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/propagation"
)

var (
	_ propagation.TextMapCarrier = MessageCarrier{}
	_ propagation.ValuesGetter   = MessageCarrier{}
)

// maxCarrierValue is the longest header value, in bytes, that a propagator gets
// to see. W3C limits baggage to 8,192 bytes and tracestate to less; without a
// limit a header of a megabyte named traceparent would be copied for every
// message only to be refused.
const maxCarrierValue = 64 << 10

// MessageCarrier reads and writes propagation fields in the headers of a Kafka
// message. It is what an application needs to inject or extract a context by
// hand, with any propagator:
//
//	otel.GetTextMapPropagator().Inject(ctx, tracing.NewMessageCarrier(msg))
//
// Keys are compared byte by byte: Kafka headers are case-sensitive. A header
// with a null value, or with one over 64 KiB, reads as absent. A MessageCarrier
// without a message reads as empty and drops what is set. It is not safe for
// concurrent use with itself or with other users of the message's headers.
type MessageCarrier struct {
	msg *kafka.Message
}

// NewMessageCarrier returns a carrier over the headers of msg.
func NewMessageCarrier(msg *kafka.Message) MessageCarrier {
	return MessageCarrier{msg: msg}
}

// Get returns the value of the last header named key, or "". The last one wins
// because a header that was added later, by whoever forwarded the message, is
// the more recent one.
func (c MessageCarrier) Get(key string) string {
	return lastHeader(c.headers(), key)
}

// Values returns the values of all headers named key, in the order of the
// message, up to 64 KiB of them together.
func (c MessageCarrier) Values(key string) []string {
	var values []string
	room := maxCarrierValue
	for _, h := range c.headers() {
		if h.Key != key || !carriable(h) {
			continue
		}
		if room -= len(h.Value); room < 0 {
			break // what is left is as much garbage as one value that long
		}
		values = append(values, string(h.Value))
	}
	return values
}

// Set replaces every header named key by one with the given value, at the end
// of the list. The message gets a new list: the array of the old one may be
// shared with other messages and is not written to.
func (c MessageCarrier) Set(key, value string) {
	if c.msg == nil {
		return
	}
	headers := make([]kafka.Header, 0, len(c.msg.Headers)+1)
	for _, h := range c.msg.Headers {
		if h.Key != key {
			headers = append(headers, h)
		}
	}
	headers = append(headers, kafka.Header{Key: key, Value: []byte(value)})
	c.msg.Headers = headers
}

// Keys returns the names of the headers, each once, in the order of the message.
func (c MessageCarrier) Keys() []string {
	return headerKeys(c.headers())
}

func (c MessageCarrier) headers() []kafka.Header {
	if c.msg == nil {
		return nil
	}
	return c.msg.Headers
}

// carriable tells whether a header's value can be handed to a propagator.
func carriable(h kafka.Header) bool {
	return h.Value != nil && len(h.Value) <= maxCarrierValue
}

func lastHeader(headers []kafka.Header, key string) string {
	for _, h := range slices.Backward(headers) {
		if h.Key == key && carriable(h) {
			return string(h.Value)
		}
	}
	return ""
}

func headerKeys(headers []kafka.Header) []string {
	keys := make([]string, 0, len(headers))
	seen := make(map[string]struct{}, len(headers))
	for _, h := range headers {
		if _, ok := seen[h.Key]; !ok {
			seen[h.Key] = struct{}{}
			keys = append(keys, h.Key)
		}
	}
	return keys
}
