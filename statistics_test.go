package tracing_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
)

// point is one value of a kafka.client metric.
type point struct {
	value float64
	attrs attribute.Set
}

func (p point) attr(key string) string {
	v, _ := p.attrs.Value(attribute.Key(key))
	return v.String()
}

// clientMetrics collects the kafka.client metrics by name.
func (c *cluster) clientMetrics() map[string][]point {
	c.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := c.mr.Collect(context.Background(), &rm); err != nil {
		c.t.Fatal(err)
	}
	points := map[string][]point{}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !strings.HasPrefix(m.Name, "kafka.client.") {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				if !data.IsMonotonic {
					c.t.Errorf("%s is not monotonic", m.Name)
				}
				add(points, m.Name, data.DataPoints)
			case metricdata.Gauge[int64]:
				add(points, m.Name, data.DataPoints)
			case metricdata.Gauge[float64]:
				if m.Unit != "s" {
					c.t.Errorf("%s has unit %s", m.Name, m.Unit)
				}
				add(points, m.Name, data.DataPoints)
			default:
				c.t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return points
}

func add[N int64 | float64](points map[string][]point, name string, from []metricdata.DataPoint[N]) {
	for _, p := range from {
		points[name] = append(points[name], point{value: float64(p.Value), attrs: p.Attributes})
	}
}

// byPartition are the values of a metric by topic and partition.
func byPartition(points []point) map[string]float64 {
	values := map[string]float64{}
	for _, p := range points {
		values[p.attr("messaging.destination.name")+"["+p.attr("messaging.destination.partition.id")+"]"] = p.value
	}
	return values
}

// the returns the one value of a metric, -1 if there is not one.
func the(points []point) float64 {
	if len(points) != 1 {
		return -1
	}
	return points[0].value
}

// withStatistics takes them often enough to test.
func withStatistics() []tracing.Option {
	return []tracing.Option{tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(20)}
}

// polled polls until a condition holds of the metrics. What else comes is lost.
func (c *cluster) polled(consumer tracing.Consumer, what string, condition func(map[string][]point) bool) {
	c.t.Helper()
	var last map[string][]point
	defer func() {
		if c.t.Failed() {
			for _, name := range slices.Sorted(maps.Keys(last)) {
				for _, p := range last[name] {
					c.t.Log(name, p.attrs.Encoded(attribute.DefaultEncoder()), p.value)
				}
			}
		}
	}()
	eventually(c.t, what, func() bool {
		consumer.Poll(5)
		last = c.clientMetrics()
		return condition(last)
	})
}

// eachReport produces n messages and waits for their reports.
func eachReport(t *testing.T, p *tracing.TracedProducer, topic, value string, n int) {
	t.Helper()
	reports := make(chan kafka.Event, n)
	for range n {
		produce(t, p, message(topic, value), reports)
	}
	for range n {
		if err := report(t, reports).TopicPartition.Error; err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatisticsOfAProducer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	eachReport(t, p, topic, "hello", 10)

	var got map[string][]point
	eventually(t, "what was sent is told", func() bool {
		got = c.clientMetrics()
		return the(got["kafka.client.sent.messages"]) == 10 && the(got["kafka.client.sent.bytes"]) == 50 &&
			the(got["kafka.client.queue.messages"]) == 0 && the(got["kafka.client.queue.bytes"]) == 0
	})
	if at := the(got["kafka.client.statistics.timestamp"]); time.Since(time.Unix(int64(at), 0)).Abs() > patience {
		t.Errorf("taken at %v", at)
	}
	for name := range got {
		if regexp.MustCompile("consumer|received.messages").MatchString(name) {
			t.Errorf("%s of a producer", name)
		}
		for _, point := range got[name] {
			if point.attr("messaging.client.id") != "shop" || point.attr("kafka.client.name") != p.String() {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
			if point.attr("kafka.broker.id") == "-1" || point.attr("server.port") == "0" {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
		}
	}
	up := 0
	for _, point := range got["kafka.client.broker.connection.state"] {
		if point.attr("kafka.connection.state") == "up" && point.attr("kafka.broker.id") == "1" && point.value == 1 {
			up++
			if server := point.attr("server.address") + ":" + point.attr("server.port"); server != c.mock.BootstrapServers() {
				t.Errorf("broker 1 is at %s, not %s", server, c.mock.BootstrapServers())
			}
		}
	}
	if up != 1 {
		t.Errorf("%d connections to broker 1 are up", up)
	}

	// The times of a window in which nothing was answered are not told.
	start := time.Now()
	eventually(t, "round-trip times", func() bool {
		eachReport(t, p, topic, "hello", 1)
		got := c.clientMetrics()
		for _, name := range []string{"avg", "p50", "p95", "p99"} {
			rtt := got["kafka.client.broker.rtt."+name]
			if len(rtt) == 0 || rtt[0].value <= 0 {
				return false
			}
			if rtt[0].value > time.Since(start).Seconds()+patience.Seconds() {
				t.Errorf("%s is %v s", name, rtt[0].value)
			}
		}
		return true
	})

	c.brokerDown()
	reports := make(chan kafka.Event, 3)
	for range 3 {
		produce(t, p, message(topic, "hello"), reports)
	}
	eventually(t, "three messages wait, and the connection is not up", func() bool {
		got := c.clientMetrics()
		for _, point := range got["kafka.client.broker.connection.state"] {
			if point.attr("kafka.connection.state") == "up" && point.value != 0 {
				return false
			}
		}
		return the(got["kafka.client.queue.messages"]) == 3 && the(got["kafka.client.queue.bytes"]) == 15
	})
}

// The lag is the broker's end of the partition less the group's committed offset,
// and, while there is none, less the consumer's position.
func TestStatisticsLag(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	consumer := c.consumer(topic, kafka.ConfigMap{"client.id": "till"}, withStatistics()...)
	var msgs []*kafka.Message
	for range 4 {
		msgs = append(msgs, read(t, consumer))
	}
	at := topic + "[0]"
	// Paused, so that the polls that the statistics need consume nothing.
	if err := consumer.Pause([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}); err != nil {
		t.Fatal(err)
	}
	c.polled(consumer, "a lag of 6 at position 4 of 10", func(got map[string][]point) bool {
		return byPartition(got["kafka.client.consumer.lag"])[at] == 6
	})
	got := c.clientMetrics()
	if _, ok := byPartition(got["kafka.client.consumer.committed_offset"])[at]; ok {
		t.Error("a committed offset, when nothing is committed")
	}
	if _, err := consumer.CommitMessage(msgs[2]); err != nil {
		t.Fatal(err)
	}
	_, high, err := consumer.QueryWatermarkOffsets(topic, 0, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := consumer.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	want := float64(high) - float64(committed[0].Offset)
	if want != 7 {
		t.Fatalf("the broker says %v", want)
	}
	c.polled(consumer, "the lag that the broker tells", func(m map[string][]point) bool {
		got = m
		return byPartition(got["kafka.client.consumer.lag"])[at] == want
	})
	for name, want := range map[string]float64{
		"committed_offset": 3, "consumed_offset": 4, "stored_offset": 4, "high_watermark": 10,
	} {
		if v := byPartition(got["kafka.client.consumer."+name]); len(v) != 1 || v[at] != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if n := the(got["kafka.client.received.messages"]); n != 10 {
		t.Errorf("%v messages received", n)
	}
	if n := the(got["kafka.client.received.bytes"]); n != 10 {
		t.Errorf("%v bytes received", n)
	}
	if n := the(got["kafka.client.consumer.partitions"]); n != 1 {
		t.Errorf("%v partitions", n)
	}
	for name := range got {
		for _, point := range got[name] {
			if point.attr("messaging.consumer.group.name") != "billing" || point.attr("messaging.client.id") != "till" {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
		}
	}
}

func TestStatisticsRevokedPartitionsDisappear(t *testing.T) {
	t.Parallel()
	partitions := func(got map[string][]point) []string {
		return slices.Sorted(maps.Keys(byPartition(got["kafka.client.consumer.lag"])))
	}
	t.Run("unassigned", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.topic(3)
		consumer := c.consumer("", nil, withStatistics()...)
		tps := []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 0}, {Topic: &topic, Partition: 2, Offset: 0}}
		if err := consumer.IncrementalAssign(tps); err != nil {
			t.Fatal(err)
		}
		zero, two := topic+"[0]", topic+"[2]"
		c.polled(consumer, "both partitions", func(got map[string][]point) bool {
			return slices.Equal(partitions(got), []string{zero, two})
		})
		if err := consumer.IncrementalUnassign(tps[:1]); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "partition 2 only", func(got map[string][]point) bool {
			return slices.Equal(partitions(got), []string{two}) && the(got["kafka.client.consumer.partitions"]) == 1
		})
		if err := consumer.Unassign(); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "none", func(got map[string][]point) bool {
			return len(partitions(got)) == 0 && the(got["kafka.client.consumer.partitions"]) == 0
		})
	})
	t.Run("revoked", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.topic(2)
		consumer := c.consumer("", joining(nil), withStatistics()...)
		if err := consumer.Subscribe(topic, nil); err != nil {
			t.Fatal(err)
		}
		state := func(got map[string][]point) string {
			var are []string
			for _, p := range got["kafka.client.consumer.group.state"] {
				if p.value == 1 {
					are = append(are, p.attr("kafka.group.state"))
				}
			}
			return strings.Join(are, " and ")
		}
		c.polled(consumer, "a steady member with both partitions", func(got map[string][]point) bool {
			return state(got) == "steady" && the(got["kafka.client.consumer.rebalances"]) == 1 && len(partitions(got)) == 2
		})
		if err := consumer.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "no partitions", func(got map[string][]point) bool {
			return the(got["kafka.client.consumer.rebalances"]) == 2 && len(partitions(got)) == 0 && state(got) == "not_joined"
		})
	})
}

// Also if they have one client.id.
func TestStatisticsOfTwoClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	one := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	two := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	eachReport(t, one, topic, "v", 3)
	eachReport(t, two, topic, "v", 5)
	sent := func() map[string]float64 {
		values := map[string]float64{}
		for _, p := range c.clientMetrics()["kafka.client.sent.messages"] {
			values[p.attr("kafka.client.name")] = p.value
		}
		return values
	}
	eventually(t, "both tell what they sent", func() bool {
		return maps.Equal(sent(), map[string]float64{one.String(): 3, two.String(): 5})
	})
	one.Close()
	if got := sent(); len(got) != 1 || got[two.String()] != 5 {
		t.Errorf("%v after one was closed", got)
	}
}

// documents returns a condition: statistics of the client have come in.
func (c *cluster) documents(client fmt.Stringer) (collected func() bool) {
	return func() bool {
		for _, p := range c.clientMetrics()["kafka.client.statistics.timestamp"] {
			if p.attr("kafka.client.name") == client.String() {
				return true
			}
		}
		return false
	}
}

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
