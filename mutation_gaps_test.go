package tracing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Nobody destroys the client while a call is on its way into it: Close waits, and
// keeps later calls out.
func TestProducerRule13CloseWaitsForCallsInTheClient(t *testing.T) {
	t.Parallel()
	inside, hold := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onStart: func() { inside <- struct{}{}; <-hold }}))
	topic := c.topic(1)
	p := c.producer(nil)
	produced := make(chan error, 1)
	go func() { produced <- p.Produce(message(topic, "v"), nil) }()
	receiveEvent(t, inside)
	var closing sync.WaitGroup
	closing.Go(p.Close)
	eventually(t, "closing has begun", func() bool { return code(t, p.Produce(nil, nil)) == kafka.ErrState })
	if p.IsClosed() {
		t.Error("the client is closed while a call is on its way into it")
	}
	release()
	if err := receiveEvent(t, produced); err != nil {
		t.Errorf("the call that was inside returned %v", err)
	}
	returns(t, "Close", closing.Wait)
}

// A partition that is taken away while its message is handled is for its next owner
// to handle again: no reason to end.
func TestConsumeGoesOnAfterARevocation(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer(c.fillTopic("a"), kafka.ConfigMap{"enable.auto.offset.store": false})
	ctx, stop := context.WithCancel(context.Background())
	err := consumer.Consume(ctx, func(context.Context, *kafka.Message) error {
		stop()
		return consumer.Unassign()
	})
	if err != nil {
		t.Errorf("Consume returned %v", err)
	}
}

// What is measured cannot have taken longer than all of it together.
func TestDurationsAreInSeconds(t *testing.T) {
	t.Parallel()
	const wait = 20 * time.Millisecond
	c := newCluster(t)
	if err := c.mock.SetRoundtripDuration(-1, wait); err != nil {
		t.Fatal(err)
	}
	topic := c.topic(1)
	start := time.Now()
	send(t.Context(), t, c.producer(nil), message(topic, "v"))
	consumer := c.consumer(topic, nil)
	err := consumer.Process(t.Context(), read(t, consumer), func(context.Context) error {
		<-time.After(wait)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	for name, series := range map[string]int{"messaging.client.operation.duration": 2, "messaging.process.duration": 1} {
		m, _ := c.collected(name)
		durations, ok := m.Data.(metricdata.Histogram[float64])
		if !ok || len(durations.DataPoints) != series {
			t.Fatalf("%s is %+v", name, m.Data)
		}
		for _, p := range durations.DataPoints {
			if p.Sum < wait.Seconds()/2 || p.Sum > took.Seconds() {
				t.Errorf("%s: %v, of %v in all and at least %v", name, p.Sum, took, wait)
			}
		}
	}
}
