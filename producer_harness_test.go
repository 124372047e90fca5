package tracing_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// channelClient is what a raw and a traced producer have in common.
type channelClient interface {
	tracing.Producer
	ProduceChannel() chan *kafka.Message
}

// rawProducer makes a producer that is not traced, closed at the end of the test.
func (c *cluster) rawProducer(kv kafka.ConfigMap) *kafka.Producer {
	c.t.Helper()
	p, err := kafka.NewProducer(c.producerConfig(kv))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Close)
	return p
}

func (c *cluster) producerConfig(kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := c.config(kafka.ConfigMap{"linger.ms": 0})
	delete(*conf, "allow.auto.create.topics")
	for k, v := range kv {
		(*conf)[k] = v
	}
	return conf
}

// brokerDown makes the broker unreachable.
func (c *cluster) brokerDown() {
	c.t.Helper()
	if err := c.mock.SetBrokerDown(-1); err != nil {
		c.t.Fatal(err)
	}
}

// produce produces and fails the test if that is refused.
func produce(t *testing.T, p interface {
	Produce(*kafka.Message, chan kafka.Event) error
}, msg *kafka.Message, reports chan kafka.Event,
) {
	t.Helper()
	if err := p.Produce(msg, reports); err != nil {
		t.Fatal(err)
	}
}

// nextReport receives the next delivery report, past the client's own events.
func nextReport(t *testing.T, ch <-chan kafka.Event) *kafka.Message {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if msg, ok := receiveEvent(t, ch).(*kafka.Message); ok {
			return msg
		}
		if time.Now().After(deadline) {
			t.Fatal("no delivery report among the events")
		}
	}
}

// returns fails the test if f does not return soon.
func returns(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}

// code returns the code of a Kafka error, 0 for nil.
func code(t *testing.T, err error) kafka.ErrorCode {
	t.Helper()
	if err == nil {
		return kafka.ErrNoError
	}
	var e kafka.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v is not a kafka.Error", err, err)
	}
	return e.Code()
}

// publishErrorTypes are the error.type of all ended publish spans, sorted; "" is
// success.
func (c *cluster) publishErrorTypes() []string {
	var types []string
	for _, s := range c.ended("kafka.publish") {
		types = append(types, attributeOf(s, "error.type"))
	}
	slices.Sort(types)
	return types
}

// publishMetrics returns how many measurements operation.duration and
// sent.messages have, by error.type; "" is success.
func (c *cluster) publishMetrics() (durations, sent map[string]int) {
	c.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := c.mr.Collect(context.Background(), &rm); err != nil {
		c.t.Fatal(err)
	}
	durations, sent = map[string]int{}, map[string]int{}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if v, _ := p.Attributes.Value("messaging.operation.name"); m.Name == "messaging.client.operation.duration" && v.AsString() == "publish" {
						e, _ := p.Attributes.Value("error.type")
						durations[e.AsString()] += int(p.Count)
					}
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if m.Name == "messaging.client.sent.messages" {
						e, _ := p.Attributes.Value("error.type")
						sent[e.AsString()] += int(p.Value)
					}
				}
			}
		}
	}
	return durations, sent
}

// spanHooks is a span processor that calls functions of the test.
type spanHooks struct {
	onStart, onEnd func()
}

func (h spanHooks) OnStart(context.Context, sdktrace.ReadWriteSpan) { call(h.onStart) }
func (h spanHooks) OnEnd(sdktrace.ReadOnlySpan)                     { call(h.onEnd) }
func (spanHooks) Shutdown(context.Context) error                    { return nil }
func (spanHooks) ForceFlush(context.Context) error                  { return nil }

func call(f func()) {
	if f != nil {
		f()
	}
}

// collector takes everything from a channel until it is closed.
type collector struct {
	mu     sync.Mutex
	events []kafka.Event
	done   chan struct{}
}

func collect(ch <-chan kafka.Event) *collector {
	c := &collector{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for e := range ch {
			c.mu.Lock()
			c.events = append(c.events, e)
			c.mu.Unlock()
		}
	}()
	return c
}

// reports are the delivery reports that have come so far.
func (c *collector) reports() []*kafka.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var msgs []*kafka.Message
	for _, e := range c.events {
		if msg, ok := e.(*kafka.Message); ok {
			msgs = append(msgs, msg)
		}
	}
	return msgs
}
