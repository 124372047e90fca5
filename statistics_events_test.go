package tracing_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/kafkatrace/tracing"
)

// With an interval of ours nothing new appears to the application, and no wait is
// cut short by it.
func TestStatisticsOfOurOwnAreHidden(t *testing.T) {
	t.Parallel()
	own := []tracing.Option{tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(5)}
	for name, value := range map[string]kafka.ConfigValue{"unset": nil, "0": 0, "text 0": "0"} {
		t.Run("interval "+name, func(t *testing.T) {
			t.Parallel()
			kv := kafka.ConfigMap{}
			if value != nil {
				kv["statistics.interval.ms"] = value
			}
			t.Run("Poll", func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				consumer := c.consumer(c.topic(1), kv, own...)
				for _, timeout := range []time.Duration{0, 30 * time.Millisecond, 250 * time.Millisecond} {
					for range 3 {
						start := time.Now()
						if event := consumer.Poll(int(timeout.Milliseconds())); event != nil {
							t.Errorf("Poll returned %T", event)
						}
						if took := time.Since(start); took < timeout-time.Millisecond {
							t.Errorf("Poll(%v) took %v", timeout, took)
						}
					}
				}
				if !c.documents(consumer)() {
					t.Error("no statistics came in")
				}
			})
			t.Run("ReadMessage", func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				consumer := c.consumer(c.topic(1), kv, own...)
				start := time.Now()
				_, err := consumer.ReadMessage(250 * time.Millisecond)
				if e, ok := err.(kafka.Error); !ok || !e.IsTimeout() || time.Since(start) < 249*time.Millisecond {
					t.Errorf("ReadMessage: %v after %v", err, time.Since(start))
				}
				if !c.documents(consumer)() {
					t.Error("no statistics came in")
				}
			})
			t.Run("Events of a consumer", func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				kv := maps.Clone(kv)
				kv["go.events.channel.enable"] = true
				consumer := c.consumer(c.topic(1), kv, own...)
				events := collect(consumer.Events())
				eventually(t, "statistics", c.documents(consumer))
				if err := consumer.Close(); err != nil {
					t.Fatal(err)
				}
				<-events.done
				noStatistics(t, events)
			})
			t.Run("Events of a producer", func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				p := c.producer(kv, own...)
				events := collect(p.Events())
				eventually(t, "statistics", c.documents(p))
				p.Close()
				<-events.done
				noStatistics(t, events)
			})
		})
	}
	t.Run("Consume", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		consumer := c.consumer(c.topic(1), kafka.ConfigMap{"enable.auto.offset.store": false}, own...)
		ctx, cancel := context.WithCancel(context.Background())
		var loop sync.WaitGroup
		loop.Go(func() {
			err := consumer.Consume(ctx, func(context.Context, *kafka.Message) error { return nil },
				tracing.WithEventHandler(func(_ context.Context, event kafka.Event) {
					if _, ok := event.(*kafka.Stats); ok {
						t.Error("statistics reached the application")
					}
				}))
			if err != nil {
				t.Error(err)
			}
		})
		eventually(t, "statistics", c.documents(consumer))
		cancel()
		loop.Wait()
	})
}

func noStatistics(t *testing.T, events *collector) {
	t.Helper()
	for _, e := range events.events {
		if _, ok := e.(*kafka.Stats); ok {
			t.Error("statistics reached the application")
		}
	}
}

// A message behind an event of ours does not wait for the next poll.
func TestStatisticsOfOurOwnHoldNothingUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	consumer := c.consumer(topic, nil, tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(1))
	read(t, consumer) // the others are fetched with it
	for range 9 {
		// A round trip or two, in which statistics come in.
		for range 3 {
			if _, _, err := consumer.QueryWatermarkOffsets(topic, 0, int(patience.Milliseconds())); err != nil {
				t.Fatal(err)
			}
		}
		if event, ok := consumer.Poll(0).(*kafka.Message); !ok {
			t.Errorf("Poll(0) returned %v, with a message at hand", event)
		}
	}
}

// An interval of the application's stands, and its events reach it.
func TestStatisticsOfTheApplication(t *testing.T) {
	t.Parallel()
	kv := kafka.ConfigMap{"statistics.interval.ms": 20}
	isStats := func(event kafka.Event) bool {
		stats, ok := event.(*kafka.Stats)
		return ok && len(stats.String()) > 100
	}
	t.Run("Poll", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		consumer := c.consumer("", kv, tracing.WithStatisticsMetrics())
		eventually(t, "statistics", func() bool { return isStats(consumer.Poll(100)) })
		if !c.documents(consumer)() {
			t.Error("no metrics")
		}
	})
	t.Run("Events of a consumer", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		consumer := c.consumer("", kafka.ConfigMap{"statistics.interval.ms": "20", "go.events.channel.enable": true}, tracing.WithStatisticsMetrics())
		eventually(t, "statistics", func() bool { return isStats(receiveEvent(t, consumer.Events())) })
		if !c.documents(consumer)() {
			t.Error("no metrics")
		}
	})
	t.Run("Events of a producer", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		p := c.producer(kv, tracing.WithStatisticsMetrics())
		eventually(t, "statistics", func() bool { return isStats(receiveEvent(t, p.Events())) })
		if !c.documents(p)() {
			t.Error("no metrics")
		}
	})
	t.Run("wrapped", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		raw, err := kafka.NewConsumer(c.config(kafka.ConfigMap{"statistics.interval.ms": 20, "group.id": "g"}))
		if err != nil {
			t.Fatal(err)
		}
		consumer := tracing.WrapConsumer(raw, c.options(tracing.WithStatisticsMetrics(), tracing.WithConsumerGroup("g"))...)
		defer func() { _ = consumer.Close() }()
		eventually(t, "statistics", func() bool { return isStats(consumer.Poll(100)) })
		p := tracing.WrapProducer(c.rawProducer(kv), c.options(tracing.WithStatisticsMetrics())...)
		defer p.Close()
		eventually(t, "statistics", func() bool { return isStats(receiveEvent(t, p.Events())) })
		if !c.documents(p)() || !c.documents(consumer)() {
			t.Error("no metrics")
		}
	})
}

func TestStatisticsInterval(t *testing.T) {
	t.Parallel()
	on := tracing.WithStatisticsMetrics()
	noop := tracing.WithMeterProvider(metricnoop.NewMeterProvider())
	type conf = kafka.ConfigMap
	for name, test := range map[string]struct {
		conf kafka.ConfigMap
		opts []tracing.Option
		want kafka.ConfigValue
		own  bool
	}{
		"unset":                     {conf{}, []tracing.Option{on}, 15000, true},
		"0":                         {conf{"statistics.interval.ms": 0}, []tracing.Option{on}, 15000, true},
		"text 0":                    {conf{"statistics.interval.ms": "0"}, []tracing.Option{on}, 15000, true},
		"text 0x0":                  {conf{"statistics.interval.ms": "0x0"}, []tracing.Option{on}, 15000, true},
		"set":                       {conf{"statistics.interval.ms": 100}, []tracing.Option{on}, 100, false},
		"set as text":               {conf{"statistics.interval.ms": "100"}, []tracing.Option{on}, "100", false},
		"refused by the client":     {conf{"statistics.interval.ms": "often"}, []tracing.Option{on}, "often", false},
		"of a type that is refused": {conf{"statistics.interval.ms": 1.5}, []tracing.Option{on}, 1.5, false},
		"not wanted":                {conf{}, nil, nil, false},
		"metrics off":               {conf{}, []tracing.Option{on, tracing.WithoutMetrics()}, nil, false},
		"nothing to measure with":   {conf{}, []tracing.Option{on, noop}, nil, false},
		"all off":                   {conf{}, []tracing.Option{on, noop, tracing.WithoutTracing(), tracing.WithoutPropagation()}, nil, false},
	} {
		conf := maps.Clone(test.conf)
		if own := tracing.SetStatisticsInterval(conf, test.opts...); own != test.own || conf["statistics.interval.ms"] != test.want {
			t.Errorf("%s: %v, ours %v; want %v, ours %v", name, conf["statistics.interval.ms"], own, test.want, test.own)
		}
	}

	c := newCluster(t)
	asked := c.producerConfig(nil)
	before := maps.Clone(*asked)
	p, err := tracing.NewProducer(asked, c.options(on)...)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if !maps.Equal(before, *asked) {
		t.Errorf("the application's configuration has become %v", *asked)
	}
}
