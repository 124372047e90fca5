package main

import (
	"context"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// inFlight is how many messages may be under way, or the machine's caches are
// what is measured.
const inFlight = 5000

const topic = "bench"

// producer is what a variant produces through; reports come on the channel given
// to produce, or on Events() if that is nil.
type producer struct {
	produce  func(msg *kafka.Message, reports chan kafka.Event) error
	reported func(*kafka.Message) // called with every report
	events   chan kafka.Event
	close    func()
}

// producing is the production of messages with a delivery channel of the
// application's, or with the reports on Events().
func producing(events bool) workload {
	name := "produce, own channel"
	if events {
		name = "produce, `Events()`"
	}
	w := workload{name: name}
	add := func(name string, open func(conf *kafka.ConfigMap) (producer, error)) {
		w.variants = append(w.variants, variant{name: name, prepare: func(messages int) (func() error, func(), error) {
			return prepareProduce(messages, events, open)
		}})
	}
	add("raw client", rawProducer(nil))
	add("raw client, one header", rawProducer([]kafka.Header{{
		Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
	}}))
	add("traced, all off", tracedProducer(tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation()))
	add("by hand, not sampled", byHand(sdktrace.NeverSample()))
	add("traced, not sampled", tracedProducer(sampling(sdktrace.NeverSample()), tracing.WithoutMetrics()))
	add("traced, 1 % sampled", tracedProducer(sampling(sdktrace.TraceIDRatioBased(0.01)), tracing.WithoutMetrics()))
	add("by hand, sampled", byHand(sdktrace.AlwaysSample()))
	add("traced, sampled", tracedProducer(sampling(sdktrace.AlwaysSample()), tracing.WithoutMetrics()))
	add("traced, sampled, with metrics", tracedProducer(sampling(sdktrace.AlwaysSample()),
		tracing.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))))
	add("goroutine for each message, sampled", goroutineEach(sdktrace.AlwaysSample()))
	return w
}

func sampling(s sdktrace.Sampler) tracing.Option {
	return tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(s)))
}

func prepareProduce(messages int, events bool, open func(*kafka.ConfigMap) (producer, error)) (func() error, func(), error) {
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		return nil, nil, err
	}
	if err := cluster.CreateTopic(topic, 1, 1); err != nil {
		return nil, nil, err
	}
	p, err := open(&kafka.ConfigMap{
		"bootstrap.servers": cluster.BootstrapServers(), "linger.ms": 5, "log_level": 0,
	})
	if err != nil {
		return nil, nil, err
	}
	cleanUp := func() {
		p.close()
		cluster.Close()
	}
	if err := produce(p, 1, events); err != nil { // connects
		return nil, nil, err
	}
	return func() error { return produce(p, messages, events) }, cleanUp, nil
}

// produce is the loop that is measured.
func produce(p producer, messages int, events bool) error {
	reports := p.events
	var own chan kafka.Event
	if !events {
		own = make(chan kafka.Event, inFlight)
		reports = own
	}
	slots := make(chan struct{}, inFlight)
	done := make(chan error, 1)
	go func() {
		var failed error
		for range messages {
			msg := (<-reports).(*kafka.Message)
			if msg.TopicPartition.Error != nil {
				failed = msg.TopicPartition.Error
			}
			if p.reported != nil {
				p.reported(msg)
			}
			<-slots
		}
		done <- failed
	}()
	value, name := make([]byte, 100), topic
	for range messages {
		slots <- struct{}{}
		msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &name, Partition: 0}, Value: value}
		if err := p.produce(msg, own); err != nil {
			return err
		}
	}
	return <-done
}

func rawProducer(headers []kafka.Header) func(*kafka.ConfigMap) (producer, error) {
	return func(conf *kafka.ConfigMap) (producer, error) {
		p, err := kafka.NewProducer(conf)
		if err != nil {
			return producer{}, err
		}
		return producer{
			produce: func(msg *kafka.Message, reports chan kafka.Event) error {
				msg.Headers = headers
				return p.Produce(msg, reports)
			},
			events: p.Events(),
			close:  p.Close,
		}, nil
	}
}

func tracedProducer(opts ...tracing.Option) func(*kafka.ConfigMap) (producer, error) {
	return func(conf *kafka.ConfigMap) (producer, error) {
		p, err := tracing.NewProducer(conf, opts...)
		if err != nil {
			return producer{}, err
		}
		return producer{produce: p.Produce, events: p.Events(), close: p.Close}, nil
	}
}

// goroutineEach is how wrappers do it that give every message a channel and a
// goroutine of its own, with the least that takes.
func goroutineEach(s sdktrace.Sampler) func(*kafka.ConfigMap) (producer, error) {
	return func(conf *kafka.ConfigMap) (producer, error) {
		p, err := kafka.NewProducer(conf)
		if err != nil {
			return producer{}, err
		}
		h := newHand(s, conf)
		return producer{
			produce: func(msg *kafka.Message, reports chan kafka.Event) error {
				if reports == nil {
					reports = p.Events()
				}
				span, headers := h.start(nil)
				msg.Headers = headers
				own := make(chan kafka.Event)
				go func() {
					report := (<-own).(*kafka.Message)
					h.end(span, report)
					reports <- report
				}()
				return p.Produce(msg, own)
			},
			events: p.Events(),
			close:  p.Close,
		}, nil
	}
}

// byHand is instrumentation written for this very program, the floor: the same
// span and header, memory reused, nothing general.
func byHand(s sdktrace.Sampler) func(*kafka.ConfigMap) (producer, error) {
	return func(conf *kafka.ConfigMap) (producer, error) {
		p, err := kafka.NewProducer(conf)
		if err != nil {
			return producer{}, err
		}
		h := newHand(s, conf)
		carrier := &handCarrier{}
		var mu sync.Mutex
		var free []*handState
		return producer{
			produce: func(msg *kafka.Message, reports chan kafka.Event) error {
				var state *handState
				mu.Lock()
				if n := len(free); n > 0 {
					state, free = free[n-1], free[:n-1]
				} else {
					state = &handState{}
				}
				mu.Unlock()
				state.span, msg.Headers = h.start(carrier)
				msg.Opaque = state
				return p.Produce(msg, reports)
			},
			reported: func(report *kafka.Message) {
				state := report.Opaque.(*handState)
				h.end(state.span, report)
				mu.Lock()
				free = append(free, state)
				mu.Unlock()
			},
			events: p.Events(),
			close:  p.Close,
		}, nil
	}
}

type handState struct{ span trace.Span }

// handCarrier is a header list whose memory is used again for each message.
type handCarrier struct {
	headers []kafka.Header
	values  []byte
}

var _ propagation.TextMapCarrier = (*handCarrier)(nil)

func (c *handCarrier) Get(string) string { return "" }
func (c *handCarrier) Keys() []string    { return nil }
func (c *handCarrier) Set(key, value string) {
	from := len(c.values)
	c.values = append(c.values, value...)
	c.headers = append(c.headers, kafka.Header{Key: key, Value: c.values[from:]})
}

var background = context.Background()
