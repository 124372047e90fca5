package tracing

import (
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Attributes that the convention does not have, or had before its version 1.25.
const (
	messageBodyKey   = attribute.Key("messaging.message.body")
	headerPrefix     = "messaging.header."
	legacyOperation  = attribute.Key("messaging.operation")
	legacyTopic      = attribute.Key("messaging.destination")
	legacyPartition  = attribute.Key("messaging.kafka.partition")
	legacyOffset     = attribute.Key("messaging.kafka.message.offset")
	legacyGroup      = attribute.Key("messaging.kafka.consumer.group")
	legacyClientID   = attribute.Key("messaging.client_id")
	unknownPartition = kafka.PartitionAny
)

// addOperation adds what is known of an operation on a topic before any message:
// these attributes are there at the start of a span, where samplers see them.
func (c *config) addOperation(attrs []attribute.KeyValue, op Operation, d destination) []attribute.KeyValue {
	attrs = c.addCommon(attrs, op, d)
	if c.legacyAttributes {
		attrs = append(attrs, legacyOperation.String(string(op)))
		if d.topic != "" {
			attrs = append(attrs, legacyTopic.String(d.topic))
		}
		if group := c.groupOf(op); group != "" {
			attrs = append(attrs, legacyGroup.String(group))
		}
		if d.partition >= 0 {
			attrs = append(attrs, legacyPartition.Int64(int64(d.partition)))
		}
	}
	return append(attrs, c.attributes...)
}

// addCommon adds the attributes that spans and metrics share.
func (c *config) addCommon(attrs []attribute.KeyValue, op Operation, d destination) []attribute.KeyValue {
	attrs = append(attrs, semconv.MessagingSystemKafka, semconv.MessagingOperationName(string(op)))
	if t := op.Type(); t != "" {
		attrs = append(attrs, semconv.MessagingOperationTypeKey.String(t))
	}
	if d.topic != "" {
		attrs = append(attrs, semconv.MessagingDestinationName(d.topic))
	}
	if d.partition >= 0 {
		attrs = append(attrs, semconv.MessagingDestinationPartitionID(partitionID(d.partition)))
	}
	if group := c.groupOf(op); group != "" {
		attrs = append(attrs, semconv.MessagingConsumerGroupName(group))
	}
	if c.serverAddress != "" {
		attrs = append(attrs, semconv.ServerAddress(c.serverAddress), semconv.ServerPort(c.serverPort))
	}
	return attrs
}

// groupOf returns the consumer group of an operation. A producer has none, although
// its configuration may name one: applications share it between their clients.
func (c *config) groupOf(op Operation) string {
	switch op {
	case OperationReceive, OperationProcess, OperationCommit:
		return c.consumerGroup
	default:
		return ""
	}
}

// addClient adds the client id.
func (c *config) addClient(attrs []attribute.KeyValue) []attribute.KeyValue {
	if c.clientID == "" {
		return attrs
	}
	attrs = append(attrs, semconv.MessagingClientID(c.clientID))
	if c.legacyAttributes {
		attrs = append(attrs, legacyClientID.String(c.clientID))
	}
	return attrs
}

// describeClient tells a span whose client it is.
func (c *config) describeClient(span trace.Span) {
	if span.IsRecording() {
		span.SetAttributes(c.addClient(nil)...)
	}
}

// describe tells a span what its message says of itself, and its offset where that
// is known.
func (c *config) describe(span trace.Span, msg *kafka.Message, offset kafka.Offset) {
	if !span.IsRecording() {
		return
	}
	attrs := newAttributeBuffer()
	*attrs = c.addMessage(*attrs, msg)
	*attrs = c.addOffset(*attrs, offset)
	span.SetAttributes(*attrs...)
	attrs.release()
}

// addMessage adds what a message says of itself. It costs, so it is called for
// spans that are recording only.
func (c *config) addMessage(attrs []attribute.KeyValue, msg *kafka.Message) []attribute.KeyValue {
	attrs = c.addClient(attrs)
	if msg.Key != nil {
		// Exporters refuse a whole batch for one text that is not UTF-8.
		if key := c.formatKey(msg.Key); key != "" && utf8.ValidString(key) {
			attrs = append(attrs, semconv.MessagingKafkaMessageKey(key))
		}
	}
	attrs = append(attrs, semconv.MessagingMessageBodySize(len(msg.Value)))
	if msg.Value == nil && msg.TopicPartition.Error == nil {
		attrs = append(attrs, semconv.MessagingKafkaMessageTombstone(true))
	}
	if c.messageIDHeader != "" {
		if id := lastHeader(msg.Headers, c.messageIDHeader); id != "" && utf8.ValidString(id) {
			attrs = append(attrs, semconv.MessagingMessageID(id))
		}
	}
	if c.conversationIDHeader != "" {
		if id := lastHeader(msg.Headers, c.conversationIDHeader); id != "" && utf8.ValidString(id) {
			attrs = append(attrs, semconv.MessagingMessageConversationID(id))
		}
	}
	for _, name := range c.capturedHeaders {
		if values := headerTexts(msg.Headers, name); values != nil {
			attrs = append(attrs, attribute.StringSlice(headerPrefix+name, values))
		}
	}
	if c.bodyLimit > 0 && msg.Value != nil {
		if body, ok := bodyText(msg.Value, c.bodyLimit); ok {
			attrs = append(attrs, messageBodyKey.String(body))
		}
	}
	if c.messageAttributes != nil {
		attrs = append(attrs, c.messageAttributes(msg)...)
	}
	return attrs
}

// addPosition adds where in its topic a message is. What is negative is not
// known: the offset of a message sent with acks=0 is -1001.
func (c *config) addPosition(attrs []attribute.KeyValue, tp kafka.TopicPartition) []attribute.KeyValue {
	if tp.Partition >= 0 {
		attrs = append(attrs, semconv.MessagingDestinationPartitionID(partitionID(tp.Partition)))
		if c.legacyAttributes {
			attrs = append(attrs, legacyPartition.Int64(int64(tp.Partition)))
		}
	}
	return c.addOffset(attrs, tp.Offset)
}

func (c *config) addOffset(attrs []attribute.KeyValue, offset kafka.Offset) []attribute.KeyValue {
	if offset >= 0 {
		attrs = append(attrs, semconv.MessagingKafkaOffset(int(offset)))
		if c.legacyAttributes {
			attrs = append(attrs, legacyOffset.Int64(int64(offset)))
		}
	}
	return attrs
}

func partitionID(partition int32) string {
	return strconv.Itoa(int(partition))
}

// textKey is the default key formatter.
func textKey(key []byte) string { return string(key) }

// headerTexts returns the values of the named headers that are text.
func headerTexts(headers []kafka.Header, name string) []string {
	var values []string
	for _, h := range headers {
		if h.Key == name && h.Value != nil && utf8.Valid(h.Value) {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// bodyText returns at most limit bytes of a body, cut between characters, and
// whether they are text.
func bodyText(body []byte, limit int) (string, bool) {
	if len(body) > limit {
		end := limit
		for end > 0 && end > limit-utf8.UTFMax && !utf8.RuneStart(body[end]) {
			end--
		}
		body = body[:end]
	}
	if len(body) == 0 || !utf8.Valid(body) {
		return "", false
	}
	return string(body), true
}

// attributeBuffers hold the attributes of a span between being put together and
// being copied by the span.
var attributeBuffers = sync.Pool{New: func() any {
	b := make(attributeBuffer, 0, 16)
	return &b
}}

type attributeBuffer []attribute.KeyValue

func newAttributeBuffer() *attributeBuffer {
	return attributeBuffers.Get().(*attributeBuffer)
}

func (b *attributeBuffer) release() {
	clear(*b)
	*b = (*b)[:0]
	if cap(*b) <= 64 {
		attributeBuffers.Put(b)
	}
}
