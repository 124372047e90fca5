//go:build integration

package e2e

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// readError is what ReadMessage returns instead of a message.
type readError struct {
	message bool // a message beside the error
	outcome outcome
	text    string
}

// firstError returns the first error of ReadMessage that is no timeout. The topic's name is not part of it.
func firstError(t *testing.T, c tracing.Consumer, topic string) readError {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		msg, err := c.ReadMessage(100 * time.Millisecond)
		if err == nil {
			t.Fatalf("ReadMessage returned %v, want an error", msg)
		}
		if got := outcomeOf(err); got.code != kafka.ErrTimedOut {
			return readError{message: msg != nil, outcome: got, text: strings.ReplaceAll(err.Error(), topic, "TOPIC")}
		}
	}
	t.Fatal("ReadMessage returns no error")
	return readError{}
}

// ReadMessage returns the broker's errors as it does without tracing, and no span is made of them.
func TestReadMessageErrorsOfTheBroker(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	for _, test := range []struct {
		name  string
		conf  kafka.ConfigMap
		cause func(t *testing.T, c tracing.Consumer, topic string) error
		want  kafka.ErrorCode
		spans int // of messages before the error
	}{
		{
			name: "unknown topic", want: kafka.ErrUnknownTopicOrPart,
			cause: func(t *testing.T, c tracing.Consumer, topic string) error {
				t.Helper()
				deleteTopic(t, bootstrap, topic)
				return c.SubscribeTopics([]string{topic}, nil)
			},
		},
		{
			name: "unknown partition", want: kafka.ErrUnknownPartition,
			cause: func(_ *testing.T, c tracing.Consumer, topic string) error {
				return c.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 9, Offset: 0}})
			},
		},
		{
			name: "offset out of range", want: kafka.ErrAutoOffsetReset, conf: kafka.ConfigMap{"auto.offset.reset": "error"},
			cause: func(_ *testing.T, c tracing.Consumer, topic string) error {
				return c.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 1000}})
			},
		},
		{
			name: "topic deleted later", want: kafka.ErrUnknownTopicOrPart, spans: 1,
			conf: kafka.ConfigMap{"topic.metadata.refresh.interval.ms": 300},
			cause: func(t *testing.T, c tracing.Consumer, topic string) error {
				t.Helper()
				produce(t, bootstrap, message(topic, "the last"))
				if err := c.SubscribeTopics([]string{topic}, nil); err != nil {
					return err
				}
				_, err := c.ReadMessage(patience)
				deleteTopic(t, bootstrap, topic)
				return err
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run := func(newConsumer func(kafka.ConfigMap) tracing.Consumer) readError {
				topic := kafkatest.NewTopic(t, bootstrap, 1)
				conf := patientConfig(bootstrap, topic)
				maps.Copy(conf, test.conf)
				c := newConsumer(conf)
				if err := test.cause(t, c, topic); err != nil {
					t.Fatal(err)
				}
				return firstError(t, c, topic)
			}
			e := newTelemetry(t)
			raw := run(func(conf kafka.ConfigMap) tracing.Consumer { return rawConsumer(t, bootstrap, conf) })
			traced := run(func(conf kafka.ConfigMap) tracing.Consumer { return e.consumer(t, conf) })
			if raw != traced || raw.outcome.code != test.want {
				t.Errorf("without tracing %+v, with it %+v, want %v", raw, traced, test.want)
			}
			if spans := e.spans(""); len(spans) != test.spans {
				t.Errorf("spans %v, want %d", spans, test.spans)
			}
		})
	}
}

func deleteTopic(t *testing.T, bootstrap, topic string) {
	t.Helper()
	admin, err := kafka.NewAdminClient(clientConfig(bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	results, err := admin.DeleteTopics(patient(t), []string{topic})
	if err != nil || results[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(results, err)
	}
}

// fencedMember is what a member of a group learns when another comes with its group.instance.id.
type fencedMember struct {
	outcome outcome
	text    string
	close   outcome
}

// A fatal error ends Consume, and Close returns what the client's does.
func TestFencedMember(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	run := func(t *testing.T, newMember func(group string) tracing.Consumer, consume func(c tracing.Consumer) error) fencedMember {
		t.Helper()
		topic := kafkatest.NewTopic(t, bootstrap, 1)
		produce(t, bootstrap, message(topic, "one"))
		first := newMember(topic)
		if err := first.SubscribeTopics([]string{topic}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := first.ReadMessage(patience); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		second := rawConsumer(t, bootstrap, staticConfig(bootstrap, topic))
		if err := second.SubscribeTopics([]string{topic}, nil); err != nil {
			t.Fatal(err)
		}
		polled := make(chan struct{})
		go func() {
			defer close(polled)
			for ctx.Err() == nil {
				second.Poll(100)
			}
		}()
		err := consume(first)
		cancel()
		<-polled
		return fencedMember{outcome: outcomeOf(err), text: err.Error(), close: outcomeOf(first.Close())}
	}
	raw := run(t, func(group string) tracing.Consumer {
		return rawConsumer(t, bootstrap, staticConfig(bootstrap, group))
	}, func(c tracing.Consumer) error {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			if err, ok := c.Poll(100).(kafka.Error); ok && err.IsFatal() {
				return err
			}
		}
		return errors.New("no fatal error")
	})
	traced := run(t, func(group string) tracing.Consumer {
		return newTelemetry(t).consumer(t, staticConfig(bootstrap, group))
	}, func(c tracing.Consumer) error {
		return c.(*tracing.TracedConsumer).Consume(patient(t), func(context.Context, *kafka.Message) error { return nil })
	})
	if raw != traced || raw.outcome.code != kafka.ErrFencedInstanceID || !raw.outcome.fatal {
		t.Errorf("without tracing %+v, with it %+v, want FENCED_INSTANCE_ID, fatal", raw, traced)
	}
}

func staticConfig(bootstrap, group string) kafka.ConfigMap {
	conf := patientConfig(bootstrap, group)
	conf["group.instance.id"] = "static"
	return conf
}
