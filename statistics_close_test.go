package tracing_test

import (
	"context"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
)

// A document that cannot be read changes nothing, and reaches whom it is for.
func TestStatisticsMalformed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", kafka.ConfigMap{"go.events.channel.enable": true, "statistics.interval.ms": 600_000}, tracing.WithStatisticsMetrics())
	p := c.producer(nil, tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(600_000))
	var none *kafka.Stats
	for _, bad := range []*kafka.Stats{{}, none} {
		consumer.Consumer.Events() <- bad
		if got := receiveEvent(t, consumer.Events()); got != kafka.Event(bad) {
			t.Errorf("got %v", got)
		}
		p.Producer.Events() <- bad
		p.Producer.Events() <- kafka.NewError(kafka.ErrAllBrokersDown, "behind it", false)
		if got, ok := receiveEvent(t, p.Events()).(kafka.Error); !ok {
			t.Errorf("got %v", got)
		}
		if got := c.clientMetrics(); len(got) != 0 {
			t.Errorf("metrics %v", got)
		}
	}
}

func TestStatisticsMalformedAfterAGoodOne(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(kafka.ConfigMap{"statistics.interval.ms": 200}, tracing.WithStatisticsMetrics())
	if _, ok := receiveEvent(t, p.Events()).(*kafka.Stats); !ok || !c.documents(p)() {
		t.Fatal("no statistics")
	}
	p.Producer.Events() <- &kafka.Stats{}
	for receiveEvent(t, p.Events()).(*kafka.Stats).String() != "" {
		continue
	}
	if !c.documents(p)() {
		t.Error("the metrics are gone after a malformed document")
	}
}

// countedProvider counts the callbacks that are registered.
type countedProvider struct {
	metric.MeterProvider
	registered *atomic.Int64
}

func (p countedProvider) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return countedMeter{p.MeterProvider.Meter(name, opts...), p.registered}
}

type countedMeter struct {
	metric.Meter
	registered *atomic.Int64
}

func (m countedMeter) RegisterCallback(f metric.Callback, i ...metric.Observable) (metric.Registration, error) {
	r, err := m.Meter.RegisterCallback(f, i...)
	m.registered.Add(1)
	return countedRegistration{r, m.registered}, err
}

type countedRegistration struct {
	metric.Registration
	registered *atomic.Int64
}

func (r countedRegistration) Unregister() error {
	r.registered.Add(-1)
	return r.Registration.Unregister()
}

func TestStatisticsEndWithTheClient(t *testing.T) {
	t.Parallel()
	for name, byApplication := range map[string]bool{"Close": false, "Close of the embedded client": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var registered atomic.Int64
			opts := append(withStatistics(), tracing.WithMeterProvider(countedProvider{c.mp, &registered}))
			p, consumer := c.producer(nil, opts...), c.consumer("", nil, opts...)
			eventually(t, "statistics of the producer", c.documents(p))
			c.polled(consumer, "statistics of the consumer", func(map[string][]point) bool { return c.documents(consumer)() })
			if n := registered.Load(); n != 2 {
				t.Errorf("%d callbacks", n)
			}
			if byApplication {
				p.Producer.Close()
				if err := consumer.Consumer.Close(); err != nil {
					t.Fatal(err)
				}
				if got := c.clientMetrics(); len(got) != 0 {
					t.Errorf("metrics %v", got)
				}
			}
			p.Close()
			_ = consumer.Close()
			p.Close()
			_ = consumer.Close()
			if n := registered.Load(); n != 0 {
				t.Errorf("%d callbacks are left", n)
			}
			if got := c.clientMetrics(); len(got) != 0 {
				t.Errorf("metrics %v", got)
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		var registered atomic.Int64
		counted := tracing.WithMeterProvider(countedProvider{c.mp, &registered})
		c.producer(nil, counted)
		c.consumer("", nil, counted)
		if n := registered.Load(); n != 0 {
			t.Errorf("%d callbacks without the option", n)
		}
	})
}

// Collections while clients come and go.
func TestStatisticsCollectedWhileClosing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	stop := make(chan struct{})
	var collecting sync.WaitGroup
	for range 2 {
		collecting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					var rm metricdata.ResourceMetrics
					if err := c.mr.Collect(context.Background(), &rm); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 5 {
		p := c.producer(nil, tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(1))
		consumer := c.consumer("", nil, tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(1))
		consumer.Poll(20)
		p.Close()
		if err := consumer.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	collecting.Wait()
	if got := c.clientMetrics(); len(got) != 0 {
		t.Errorf("metrics %v", got)
	}
}

// Every metric that is documented is there, and no other.
func TestStatisticsAreDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(kafka\\.client\\.[a-z0-9_.]+)` \\| (?:gauge|counter) ").FindAllSubmatch(document, -1) {
		want[string(m[1])] = true
	}
	if len(want) < 20 {
		t.Fatalf("%d metrics documented", len(want))
	}
	c := newCluster(t)
	topic := c.fillTopic("a", "b")
	eachReport(t, c.producer(nil, withStatistics()...), topic, "c", 1)
	consumer := c.consumer(topic, nil, withStatistics()...)
	if _, err := consumer.CommitMessage(read(t, consumer)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	c.polled(consumer, "all that is documented", func(got map[string][]point) bool {
		for name := range got {
			seen[name] = true
			if !want[name] {
				t.Errorf("%s is not documented", name)
			}
		}
		return len(seen) >= len(want)
	})
}
