//go:build integration

package e2e

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// reported is what an application sees of a message that it has sent.
type reported struct {
	call, report outcome
	partition    int32
	offset       kafka.Offset
	text         string // the error's
}

// sendOne produces a message and waits for its report, if there is to be one.
func sendOne(t *testing.T, p tracing.Producer, msg *kafka.Message) reported {
	t.Helper()
	reports := make(chan kafka.Event, 1)
	if err := p.Produce(msg, reports); err != nil {
		return reported{call: outcomeOf(err), text: err.Error()}
	}
	select {
	case event := <-reports:
		tp := event.(*kafka.Message).TopicPartition
		r := reported{report: outcomeOf(tp.Error), partition: tp.Partition, offset: tp.Offset}
		if tp.Error != nil {
			r.text = tp.Error.Error()
		}
		return r
	case <-time.After(patience):
		t.Fatal("no delivery report")
		return reported{}
	}
}

// What the broker says of a message reaches the application as it does without tracing, and the span as well.
func TestProduceOutcomesOfTheBroker(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1)
	small := newSmallTopic(t, bootstrap, topic+"-small")
	for _, test := range []struct {
		name      string
		conf      kafka.ConfigMap
		topic     string
		partition int32
		size      int
		want      kafka.ErrorCode
		errorType any
		offset    any
	}{
		{name: "acknowledged", topic: topic, size: 100, offset: true},
		{name: "acks=0", conf: kafka.ConfigMap{"acks": 0}, topic: topic, size: 100},
		{
			name: "unknown topic", conf: kafka.ConfigMap{"topic.metadata.propagation.max.ms": 500}, topic: topic + "-unknown",
			want: kafka.ErrUnknownTopicOrPart, errorType: "UNKNOWN_TOPIC_OR_PARTITION",
		},
		{name: "unknown partition", topic: topic, partition: 9, want: kafka.ErrUnknownPartition, errorType: "_UNKNOWN_PARTITION"},
		{
			name: "too large for the broker", conf: kafka.ConfigMap{"message.max.bytes": 1_000_000}, topic: small, size: 100_000,
			want: kafka.ErrMsgSizeTooLarge, errorType: "MESSAGE_TOO_LARGE",
		},
		{
			name: "too large for the client", conf: kafka.ConfigMap{"message.max.bytes": 1000}, topic: topic, size: 100_000,
			want: kafka.ErrMsgSizeTooLarge, errorType: "MESSAGE_TOO_LARGE",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			msg := message(test.topic, strings.Repeat("x", test.size))
			msg.TopicPartition.Partition = test.partition
			e := newTelemetry(t)
			raw := sendOne(t, rawProducer(t, bootstrap, test.conf), msg)
			traced := sendOne(t, e.producer(t, bootstrap, test.conf), msg)
			if raw.offset >= 0 && traced.offset >= 0 {
				raw.offset = traced.offset // One was there before the other.
			}
			if !reflect.DeepEqual(raw, traced) {
				t.Errorf("without tracing %+v, with it %+v", raw, traced)
			}
			if code := max(raw.call.code, raw.report.code); raw.call.code != test.want && raw.report.code != test.want {
				t.Errorf("error %v, want %v", code, test.want)
			}
			spans := e.spans("kafka.publish")
			if len(spans) != 1 {
				t.Fatalf("publish spans %v, want one", spans)
			}
			got := spans[0]
			_, offset := got.Attributes["messaging.kafka.offset"]
			if got.Attributes["error.type"] != test.errorType || (got.Status == codes.Error) != (test.errorType != nil) ||
				got.Message != traced.text || offset != (test.offset != nil) {
				t.Errorf("span %v %q: %v, want error.type %v", got, got.Message, got.Attributes, test.errorType)
			}
		})
	}
}

// newSmallTopic creates a topic that takes messages of up to 1000 bytes.
func newSmallTopic(t *testing.T, bootstrap, topic string) string {
	t.Helper()
	admin, err := kafka.NewAdminClient(clientConfig(bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	results, err := admin.CreateTopics(patient(t), []kafka.TopicSpecification{{
		Topic: topic, NumPartitions: 1, ReplicationFactor: -1, Config: map[string]string{"max.message.bytes": "1000"},
	}})
	if err != nil || results[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(results, err)
	}
	return topic
}
