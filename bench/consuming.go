package main

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// poller is what a variant polls.
type poller interface {
	Poll(timeoutMs int) kafka.Event
	Assign([]kafka.TopicPartition) error
	Close() error
}

// consuming is polling for messages that a traced producer has sent.
func consuming() workload {
	w := workload{name: "poll"}
	add := func(name string, open func(*kafka.ConfigMap) (poller, func(*kafka.Message), error)) {
		w.variants = append(w.variants, variant{name: name, prepare: func(messages int) (func() error, func(), error) {
			return preparePoll(messages, open)
		}})
	}
	raw := func(conf *kafka.ConfigMap) (poller, func(*kafka.Message), error) {
		c, err := kafka.NewConsumer(conf)
		return c, nil, err
	}
	byHand := func(s sdktrace.Sampler) func(*kafka.ConfigMap) (poller, func(*kafka.Message), error) {
		return func(conf *kafka.ConfigMap) (poller, func(*kafka.Message), error) {
			h := newHand(s, conf)
			c, err := kafka.NewConsumer(conf)
			return c, h.receiveMessage, err
		}
	}
	traced := func(opts ...tracing.Option) func(*kafka.ConfigMap) (poller, func(*kafka.Message), error) {
		return func(conf *kafka.ConfigMap) (poller, func(*kafka.Message), error) {
			c, err := tracing.NewConsumer(conf, opts...)
			return c, nil, err
		}
	}
	add("raw client", raw)
	add("traced, all off", traced(tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation()))
	add("by hand, not sampled", byHand(sdktrace.NeverSample()))
	add("traced, not sampled", traced(sampling(sdktrace.NeverSample()), tracing.WithoutMetrics()))
	add("by hand, sampled", byHand(sdktrace.AlwaysSample()))
	add("traced, sampled", traced(sampling(sdktrace.AlwaysSample()), tracing.WithoutMetrics()))
	add("traced, sampled, with metrics", traced(sampling(sdktrace.AlwaysSample()),
		tracing.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))))
	return w
}

func preparePoll(messages int, open func(*kafka.ConfigMap) (poller, func(*kafka.Message), error)) (func() error, func(), error) {
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		return nil, nil, err
	}
	if err := cluster.CreateTopic(topic, 1, 1); err != nil {
		return nil, nil, err
	}
	p, err := tracedProducer(sampling(sdktrace.AlwaysSample()), tracing.WithoutMetrics())(&kafka.ConfigMap{
		"bootstrap.servers": cluster.BootstrapServers(), "log_level": 0,
	})
	if err != nil {
		return nil, nil, err
	}
	// One more, for the connection.
	if err := produce(p, messages+1, false); err != nil {
		return nil, nil, err
	}
	p.close()
	c, received, err := open(&kafka.ConfigMap{
		"bootstrap.servers": cluster.BootstrapServers(), "log_level": 0,
		"group.id": "bench", "enable.auto.commit": false,
		"queued.min.messages": 1_000_000, "fetch.wait.max.ms": 10,
	})
	if err != nil {
		return nil, nil, err
	}
	name := topic
	if err := c.Assign([]kafka.TopicPartition{{Topic: &name, Partition: 0, Offset: kafka.OffsetBeginning}}); err != nil {
		return nil, nil, err
	}
	if err := poll(c, 1, received); err != nil {
		return nil, nil, err
	}
	cleanUp := func() {
		_ = c.Close()
		cluster.Close()
	}
	return func() error { return poll(c, messages, received) }, cleanUp, nil
}

// poll is the loop that is measured.
func poll(c poller, messages int, received func(*kafka.Message)) error {
	for n := 0; n < messages; {
		switch e := c.Poll(10_000).(type) {
		case *kafka.Message:
			if received != nil {
				received(e)
			}
			n++
		case kafka.Error:
			return e
		case nil:
			return fmt.Errorf("no message for ten seconds, after %d", n)
		}
	}
	return nil
}

// receiveMessage makes a receive span by hand.
func (h *hand) receiveMessage(msg *kafka.Message) {
	ctx := h.propagator.Extract(background, extractor{msg})
	_, span := h.tracer.Start(ctx, "kafka.receive", h.receive...)
	if span.IsRecording() {
		span.SetAttributes(h.recorded...)
		span.SetAttributes(attribute.Int64("messaging.kafka.offset", int64(msg.TopicPartition.Offset)))
	}
	span.End()
}

type extractor struct{ msg *kafka.Message }

var _ propagation.TextMapCarrier = extractor{}

func (e extractor) Get(key string) string {
	for _, h := range e.msg.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
func (e extractor) Set(string, string) {}
func (e extractor) Keys() []string     { return nil }
