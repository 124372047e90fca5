package tracing_test

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kafkatrace/tracing"
)

// received is the receive span of a message, as its attributes.
func (c *cluster) receivedAttributes(msg *kafka.Message, opts ...tracing.Option) attribute.Set {
	c.t.Helper()
	before := len(c.ended("kafka.receive"))
	c.receive(msg, opts...)
	return attribute.NewSet(c.ended("kafka.receive")[before].Attributes()...)
}

func assertValue(t *testing.T, set attribute.Set, key attribute.Key, want string) {
	t.Helper()
	v, ok := set.Value(key)
	if !ok {
		t.Errorf("%s is missing, want %q", key, want)
	} else if v.String() != want {
		t.Errorf("%s is %q, want %q", key, v.String(), want)
	}
}

func assertAbsent(t *testing.T, set attribute.Set, keys ...attribute.Key) {
	t.Helper()
	for _, key := range keys {
		if v, ok := set.Value(key); ok {
			t.Errorf("%s is there: %q", key, v.String())
		}
	}
}

const keyAttribute = attribute.Key("messaging.kafka.message.key")

func keyed(key []byte) *kafka.Message {
	msg := headed()
	msg.Key = key
	return msg
}

func TestAttributesOfTheKey(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	assertValue(t, c.receivedAttributes(keyed([]byte("order-1"))), keyAttribute, "order-1")
	assertAbsent(t, c.receivedAttributes(keyed(nil)), keyAttribute)
	assertAbsent(t, c.receivedAttributes(keyed([]byte{0xff, 0xfe})), keyAttribute)
	assertAbsent(t, c.receivedAttributes(keyed([]byte("order-1")), tracing.WithoutMessageKey()), keyAttribute)
	asHex := tracing.WithMessageKeyFormatter(func(key []byte) string {
		if key == nil {
			t.Error("called with a nil key")
		}
		return hex.EncodeToString(key)
	})
	assertValue(t, c.receivedAttributes(keyed([]byte{0xff, 0xfe}), asHex), keyAttribute, "fffe")
	assertAbsent(t, c.receivedAttributes(keyed(nil), asHex), keyAttribute)
	assertAbsent(t, c.receivedAttributes(keyed([]byte("x")), tracing.WithMessageKeyFormatter(func([]byte) string { return "" })), keyAttribute)
	assertValue(t, c.receivedAttributes(keyed([]byte("order-1")), tracing.WithMessageKeyFormatter(nil)), keyAttribute, "order-1")
	// One attribute that is not UTF-8 makes exporters refuse the whole batch.
	asIs := tracing.WithMessageKeyFormatter(func(key []byte) string { return string(key) })
	assertAbsent(t, c.receivedAttributes(keyed([]byte{0xff, 0xfe}), asIs), keyAttribute)
}

func TestAttributesOfTombstonesAndEmptyValues(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	empty, tombstone := message(topic, ""), message(topic, "")
	tombstone.Value = nil
	empty.Key, tombstone.Key = []byte{}, nil
	c.produceRaw(empty, tombstone)
	c.both(topic, nil, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
		t.Helper()
		for range 2 {
			msg := read(t, consumer)
			see("%#v %#v", msg.Key, msg.Value)
		}
	})
	const tombstoneKey = attribute.Key("messaging.kafka.message.tombstone")
	for i, span := range c.ended("kafka.receive") {
		set := attribute.NewSet(span.Attributes()...)
		assertValue(t, set, "messaging.message.body.size", "0")
		if i == 0 {
			assertAbsent(t, set, tombstoneKey)
		} else {
			assertValue(t, set, tombstoneKey, "true")
		}
	}
	// A partition's error is no message, and so no tombstone.
	failed := headed()
	failed.Value, failed.TopicPartition.Error = nil, kafka.NewError(kafka.ErrUnknownTopicOrPart, "", false)
	assertAbsent(t, c.receivedAttributes(failed), tombstoneKey)
}

func TestAttributesOfTheBody(t *testing.T) {
	t.Parallel()
	const body = attribute.Key("messaging.message.body")
	c := newCluster(t)
	valued := func(value string) *kafka.Message { return message("orders", value) }
	assertAbsent(t, c.receivedAttributes(valued("hello")), body)
	assertAbsent(t, c.receivedAttributes(valued("hello"), tracing.WithMessageBody(0)), body)
	assertAbsent(t, c.receivedAttributes(valued("hello"), tracing.WithMessageBody(-1)), body)
	for _, test := range []struct {
		value string
		limit int
		want  string
	}{
		{"hello", 5, "hello"},
		{"hello", 4, "hell"},
		{"hello", 1 << 20, "hello"},
		{"héllo", 2, "h"},  // é has two bytes, and half of it is none
		{"héllo", 3, "hé"}, //
		{"€€", 5, "€"},     //
		{"a\x00b", 3, "a\x00b"},
	} {
		set := c.receivedAttributes(valued(test.value), tracing.WithMessageBody(test.limit))
		assertValue(t, set, body, test.want)
		assertValue(t, set, "messaging.message.body.size", strconv.Itoa(len(test.value)))
	}
	for _, binary := range []string{"\xff\xfe", "a\xff\xfeb", strings.Repeat("\x80", 1<<16), "€"[1:] + "x"} {
		assertAbsent(t, c.receivedAttributes(valued(binary), tracing.WithMessageBody(16)), body)
	}
	tombstone := valued("")
	tombstone.Value = nil
	assertAbsent(t, c.receivedAttributes(tombstone, tracing.WithMessageBody(16)), body)
}

func TestAttributesFromHeaders(t *testing.T) {
	t.Parallel()
	const id, conversation = attribute.Key("messaging.message.id"), attribute.Key("messaging.message.conversation_id")
	c := newCluster(t)
	msg := func() *kafka.Message {
		return headed(header("id", "first"), header("id", "m-1"), header("conv", "c-1"), header("Tenant", "x"),
			header("tenant", "1"), header("tenant", "\xff"), header("tenant", "2"), kafka.Header{Key: "tenant"}, header("empty", ""))
	}
	plain := c.receivedAttributes(msg())
	assertAbsent(t, plain, id, conversation, "messaging.header.tenant")
	set := c.receivedAttributes(msg(), tracing.WithMessageIDHeader("id"), tracing.WithConversationIDHeader("conv"),
		tracing.WithCapturedHeaders("tenant", "empty"), tracing.WithCapturedHeaders("absent"))
	assertValue(t, set, id, "m-1")
	assertValue(t, set, conversation, "c-1")
	if v, _ := set.Value("messaging.header.tenant"); !slices.Equal(v.AsStringSlice(), []string{"1", "2"}) {
		t.Errorf("captured %q", v.AsStringSlice())
	}
	if v, ok := set.Value("messaging.header.empty"); !ok || !slices.Equal(v.AsStringSlice(), []string{""}) {
		t.Errorf("captured %q", v.AsStringSlice())
	}
	assertAbsent(t, set, "messaging.header.absent", "messaging.header.Tenant", "messaging.header.id")
	set = c.receivedAttributes(msg(), tracing.WithMessageIDHeader("absent"), tracing.WithConversationIDHeader("tenant"), tracing.WithCapturedHeaders())
	assertAbsent(t, set, id)
	// The key is never taken for an id.
	withKey := keyed([]byte("order-1"))
	assertAbsent(t, c.receivedAttributes(withKey, tracing.WithMessageIDHeader("id")), id)
}

// Never a negative offset or partition, never something empty.
func TestAttributesUnknownIsAbsent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	empty := ""
	set := c.receivedAttributes(&kafka.Message{
		Value:          []byte("x"),
		TopicPartition: kafka.TopicPartition{Topic: &empty, Partition: kafka.PartitionAny, Offset: kafka.OffsetInvalid},
	}, tracing.WithClientID(""))
	assertAbsent(t, set, "messaging.destination.name", "messaging.destination.partition.id", "messaging.kafka.offset")
	for _, kv := range set.ToSlice() {
		if kv.Value.String() == "" || strings.HasPrefix(kv.Value.String(), "-") {
			t.Errorf("%s is %q", kv.Key, kv.Value.String())
		}
	}
	// Not a crash either.
	c.receivedAttributes(&kafka.Message{})
}

// What a producer's span has of a consumer: nothing, also where both are made from
// one configuration.
func TestAttributesOfTheConsumerGroupAreTheConsumers(t *testing.T) {
	t.Parallel()
	const group = attribute.Key("messaging.consumer.group.name")
	c := newCluster(t)
	p := c.producer(kafka.ConfigMap{"group.id": "billing"}, tracing.WithConsumerGroup("ledger"), tracing.WithLegacyAttributes())
	if err := p.Produce(message(c.topic(1), "x"), nil); err != nil {
		t.Fatal(err)
	}
	report(t, p.Events())
	assertAbsent(t, attribute.NewSet(c.only("kafka.publish").Attributes()...), group, "messaging.kafka.consumer.group")
	for _, s := range c.series("messaging.client.sent.messages") {
		assertAbsent(t, s.attributes, group)
	}
	consumer := c.consumer("", nil)
	_ = consumer.Process(context.Background(), headed(), func(context.Context) error { return nil })
	assertValue(t, attribute.NewSet(c.only("kafka.process").Attributes()...), group, "billing")
}

func TestAttributesLegacy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	legacy := []attribute.Key{
		"messaging.operation", "messaging.destination", "messaging.kafka.partition", "messaging.kafka.message.offset",
		"messaging.kafka.consumer.group", "messaging.client_id",
	}
	assertAbsent(t, c.receivedAttributes(headed()), legacy...)

	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"client.id": "shop"}, tracing.WithLegacyAttributes())
	if err := p.Produce(message(topic, "x"), nil); err != nil {
		t.Fatal(err)
	}
	report(t, p.Events())
	consumer := c.consumer(topic, kafka.ConfigMap{"client.id": "till"}, tracing.WithLegacyAttributes())
	_ = consumer.Process(context.Background(), read(t, consumer), func(context.Context) error { return nil })
	for name, client := range map[string]string{"publish": "shop", "receive": "till", "process": "till"} {
		spans := c.ended("kafka." + name)
		set := attribute.NewSet(spans[len(spans)-1].Attributes()...)
		assertValue(t, set, "messaging.operation", name)
		assertValue(t, set, "messaging.destination", topic)
		assertValue(t, set, "messaging.client_id", client)
		for key, want := range map[attribute.Key]int64{"messaging.kafka.partition": 0, "messaging.kafka.message.offset": 0} {
			if v, ok := set.Value(key); !ok || v.Type() != attribute.INT64 || v.AsInt64() != want {
				t.Errorf("%s: %s is %v", name, key, v.String())
			}
		}
		if name != "publish" {
			assertValue(t, set, "messaging.kafka.consumer.group", "billing")
		}
		assertValue(t, set, "messaging.operation.name", name) // beside the new ones
	}
	for _, name := range []string{"messaging.client.operation.duration", "messaging.client.sent.messages", "messaging.client.consumed.messages", "messaging.process.duration"} {
		for _, s := range c.series(name) {
			assertAbsent(t, s.attributes, legacy...)
		}
	}
}

// Whatever a message holds, what a span says of it is UTF-8: an exporter refuses
// the whole batch otherwise.
func TestAttributesAreUTF8(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const bad = "\xff\xfe\x80"
	msg := &kafka.Message{Key: []byte(bad), Value: []byte(bad), Headers: []kafka.Header{header("h", bad), header("id", bad)}}
	set := c.receivedAttributes(msg, tracing.WithMessageBody(100), tracing.WithCapturedHeaders("h"),
		tracing.WithMessageIDHeader("id"), tracing.WithConversationIDHeader("id"))
	for _, kv := range set.ToSlice() {
		if !utf8.ValidString(kv.Value.String()) {
			t.Errorf("%s is %q", kv.Key, kv.Value.String())
		}
	}
}
