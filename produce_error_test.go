package tracing_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// What the client refuses at once ends its span, is measured but not counted as
// sent, comes back with the client's own error, and has no report.
func TestProducerRule05RefusedMessages(t *testing.T) {
	t.Parallel()
	valid := "orders"
	none, empty, long, longest := (*string)(nil), "", strings.Repeat("x", 513), strings.Repeat("x", 512)
	of := func(topic *string, partition int32) *kafka.Message {
		return &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: partition}, Opaque: "mine"}
	}
	for name, test := range map[string]struct {
		msg       *kafka.Message
		crashes   bool // the raw client ends the process
		code      kafka.ErrorCode
		errorType string // of the span; "" if there is none
	}{
		"nil message":       {msg: nil, code: kafka.ErrInvalidArg},
		"nil topic":         {msg: of(none, 0), code: kafka.ErrInvalidArg, errorType: "_INVALID_ARG"},
		"empty topic":       {msg: of(&empty, 0), code: kafka.ErrInvalidArg, errorType: "_INVALID_ARG"},
		"over-long topic":   {msg: of(&long, 0), crashes: true, code: kafka.ErrInvalidArg, errorType: "_INVALID_ARG"},
		"longest topic":     {msg: of(&longest, 0)},
		"unknown partition": {msg: of(&valid, 7), code: kafka.ErrUnknownPartition, errorType: "_UNKNOWN_PARTITION"},
		"too large": {
			msg:  &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &valid}, Value: make([]byte, 2_000_000)},
			code: kafka.ErrMsgSizeTooLarge, errorType: "MESSAGE_TOO_LARGE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if err := c.mock.CreateTopic(valid, 1, 1); err != nil {
				t.Fatal(err)
			}
			conf := kafka.ConfigMap{"message.timeout.ms": 100}
			p := c.producer(conf)
			raw := c.rawProducer(conf)
			for _, client := range []tracing.Producer{p, raw} { // partitions are checked once they are known
				if _, err := client.GetMetadata(&valid, false, 5000); err != nil {
					t.Fatal(err)
				}
			}
			own := make(chan kafka.Event, 1)
			err := p.Produce(test.msg, own)
			if code(t, err) != test.code {
				t.Fatalf("refused with %v, want code %v", err, test.code)
			}
			if !test.crashes {
				if want := raw.Produce(test.msg, make(chan kafka.Event, 1)); err != want {
					t.Errorf("refused with %v, the raw client's error is %v", err, want)
				}
			}
			if err == nil {
				report(t, own)
				return
			}
			if n := p.Flush(5000); n != 0 {
				t.Errorf("Flush returned %d", n)
			}
			select {
			case event := <-own:
				t.Errorf("a refused message was reported: %v", event)
			case event := <-p.Events():
				t.Errorf("a refused message was reported on Events(): %v", event)
			default:
			}
			var want []string
			if test.errorType != "" {
				want = []string{test.errorType}
				if got := c.only("kafka.publish").Status(); got != failed(err) {
					t.Errorf("status %v", got)
				}
			}
			if got := c.publishErrorTypes(); !slices.Equal(got, want) {
				t.Errorf("spans with error types %q, want %q", got, want)
			}
			durations, sent := c.publishMetrics()
			if len(sent) != 0 {
				t.Errorf("sent.messages %v, want none", sent)
			}
			if durations[test.errorType] != len(want) || len(durations) != len(want) {
				t.Errorf("operation.duration %v, want %q", durations, want)
			}
		})
	}
}

func TestProducerRule05FullQueue(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"queue.buffering.max.messages": 1})
	c.brokerDown()
	own := make(chan kafka.Event, 2)
	produce(t, p, message(topic, "v"), own)
	err := p.Produce(message(topic, "v"), own)
	if code(t, err) != kafka.ErrQueueFull {
		t.Fatalf("error %v, want queue full", err)
	}
	span := c.only("kafka.publish")
	if span.Status() != failed(err) || attributeOf(span, "error.type") != "_QUEUE_FULL" {
		t.Errorf("status %v, error.type %s", span.Status(), attributeOf(span, "error.type"))
	}
	if durations, sent := c.publishMetrics(); durations["_QUEUE_FULL"] != 1 || len(sent) != 0 {
		t.Errorf("metrics %v and %v, want one duration and nothing sent", durations, sent)
	}
	// The one that was taken is reported, alone.
	if err := p.Purge(kafka.PurgeQueue | kafka.PurgeInFlight); err != nil {
		t.Fatal(err)
	}
	report(t, own)
	collect(p.Events()) // of the client's own errors
	if n := p.Flush(int(patience.Milliseconds())); n != 0 || len(own) != 0 {
		t.Errorf("Flush returned %d, %d more reports", n, len(own))
	}
}

func TestProducerRule05UnreachableBroker(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.timeout.ms": 100})
	c.brokerDown()
	msg := message(topic, "v")
	msg.Opaque = "order-1"
	produce(t, p, msg, nil)
	got := nextReport(t, p.Events())
	if got.Opaque != "order-1" || code(t, got.TopicPartition.Error) != kafka.ErrMsgTimedOut {
		t.Errorf("report of %v with error %v", got.Opaque, got.TopicPartition.Error)
	}
	span := c.only("kafka.publish")
	if span.Status() != failed(got.TopicPartition.Error) || attributeOf(span, "error.type") != "_MSG_TIMED_OUT" {
		t.Errorf("status %v, error.type %s", span.Status(), attributeOf(span, "error.type"))
	}
	if offset := attributeOf(span, "messaging.kafka.offset"); offset != "" {
		t.Errorf("offset %s of a message that was not delivered", offset)
	}
	if durations, sent := c.publishMetrics(); durations["_MSG_TIMED_OUT"] != 1 || sent["_MSG_TIMED_OUT"] != 1 {
		t.Errorf("metrics %v and %v, want the one failure", durations, sent)
	}
}

func TestProducerRule08PurgedMessage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"linger.ms": 60_000})
	reports := make(chan kafka.Event, 1)
	produce(t, p, message(topic, "v"), reports)
	if err := p.Purge(kafka.PurgeQueue); err != nil {
		t.Fatal(err)
	}
	c.wantFailure(report(t, reports), kafka.ErrPurgeQueue, "_PURGE_QUEUE")
}

func TestProducerRule08AbortedTransaction(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"transactional.id": "till-1", "linger.ms": 30_000})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	reports := make(chan kafka.Event, 1)
	produce(t, p, message(topic, "v"), reports)
	if err := p.AbortTransaction(ctx); err != nil {
		t.Fatal(err)
	}
	c.wantFailure(report(t, reports), kafka.ErrPurgeQueue, "_PURGE_QUEUE")
}

func TestProducerRule08FatalError(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"enable.idempotence": true, "linger.ms": 500})
	reports := make(chan kafka.Event, 1)
	produce(t, p, message(topic, "v"), reports)
	p.TestFatalError(kafka.ErrOutOfOrderSequenceNumber, "test")
	got := report(t, reports)
	if got.TopicPartition.Error == nil {
		t.Fatal("delivered in spite of a fatal error")
	}
	if span := c.only("kafka.publish"); span.Status() != failed(got.TopicPartition.Error) {
		t.Errorf("status %v, report's error %v", span.Status(), got.TopicPartition.Error)
	}
	// From now on the client refuses.
	if err := p.Produce(message(topic, "v"), reports); code(t, err) != kafka.ErrFatal {
		t.Errorf("error %v after a fatal error", err)
	}
	if n := len(c.ended("kafka.publish")); n != 2 {
		t.Errorf("%d spans ended, want 2", n)
	}
}

// wantFailure asserts that the one message failed, in report, span and metrics.
func (c *cluster) wantFailure(got *kafka.Message, want kafka.ErrorCode, errorType string) {
	c.t.Helper()
	if code(c.t, got.TopicPartition.Error) != want {
		c.t.Errorf("report has error %v, want code %v", got.TopicPartition.Error, want)
	}
	span := c.only("kafka.publish")
	if span.Status() != failed(got.TopicPartition.Error) || attributeOf(span, "error.type") != errorType {
		c.t.Errorf("status %v, error.type %s", span.Status(), attributeOf(span, "error.type"))
	}
	if durations, sent := c.publishMetrics(); durations[errorType] != 1 || sent[errorType] != 1 {
		c.t.Errorf("metrics %v and %v, want the one failure", durations, sent)
	}
}

func TestProducerRule12NoOffsetWithoutAcknowledgement(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"acks": 0})
	reports := make(chan kafka.Event, 1)
	produce(t, p, message(topic, "v"), reports)
	if got := report(t, reports).TopicPartition; got.Error != nil || got.Offset != kafka.OffsetInvalid {
		t.Fatalf("report %v: this test needs one without an offset", got)
	}
	span := c.only("kafka.publish")
	if offset := attributeOf(span, "messaging.kafka.offset"); offset != "" {
		t.Errorf("offset attribute %s", offset)
	}
	if partition := attributeOf(span, "messaging.destination.partition.id"); partition != "0" {
		t.Errorf("partition attribute %q, want 0", partition)
	}
}
