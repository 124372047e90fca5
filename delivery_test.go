package tracing_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

func TestProducerRule01OpaqueIsRestored(t *testing.T) {
	t.Parallel()
	outcomes := map[string]struct {
		conf kafka.ConfigMap
		then func(*cluster, *tracing.TracedProducer)
		code kafka.ErrorCode
	}{
		"delivered": {
			then: func(*cluster, *tracing.TracedProducer) {},
		},
		"timed out": {
			conf: kafka.ConfigMap{"message.timeout.ms": 100},
			then: func(*cluster, *tracing.TracedProducer) {},
			code: kafka.ErrMsgTimedOut,
		},
		"purged": {
			conf: kafka.ConfigMap{"linger.ms": 60_000},
			then: func(c *cluster, p *tracing.TracedProducer) {
				if err := p.Purge(kafka.PurgeQueue); err != nil {
					c.t.Error(err)
				}
			},
			code: kafka.ErrPurgeQueue,
		},
	}
	pointer := new(int)
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(outcome.conf)
			if outcome.code == kafka.ErrMsgTimedOut {
				c.brokerDown()
			}
			opaques := []any{nil, "text", 42, pointer, []int(nil)}
			reports := make(chan kafka.Event, len(opaques))
			for _, opaque := range opaques {
				for _, to := range []chan kafka.Event{reports, nil} {
					msg := message(topic, "v")
					msg.Opaque = opaque
					produce(t, p, msg, to)
				}
			}
			outcome.then(c, p)
			text := func(v any) string { return fmt.Sprintf("%T %v", v, v) }
			for _, from := range []chan kafka.Event{reports, p.Events()} {
				var got, want []string
				for _, opaque := range opaques {
					msg := nextReport(t, from)
					got, want = append(got, text(msg.Opaque)), append(want, text(opaque))
					if code(t, msg.TopicPartition.Error) != outcome.code {
						t.Errorf("report has error %v, want code %v", msg.TopicPartition.Error, outcome.code)
					}
				}
				slices.Sort(got) // purged messages come in any order
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("Opaque is %q, want %q", got, want)
				}
			}
		})
	}
}

// The user's channel, else Events(), else nowhere. Upstream loses reports when
// channels are mixed and go.delivery.reports is off; with the wrapper none is.
func TestProducerRule03ReportsGoWhereTheRawClientPutsThem(t *testing.T) {
	t.Parallel()
	wrap := func(c *cluster, on bool) *tracing.TracedProducer {
		raw := c.rawProducer(kafka.ConfigMap{"go.delivery.reports": on})
		p := tracing.WrapProducer(raw, c.options(tracing.WithDeliveryReports(on))...)
		c.t.Cleanup(p.Close)
		return p
	}
	for name, test := range map[string]struct {
		producer func(c *cluster) *tracing.TracedProducer
		reports  bool
	}{
		"reports on": {func(c *cluster) *tracing.TracedProducer { return c.producer(nil) }, true},
		"reports off": {func(c *cluster) *tracing.TracedProducer {
			return c.producer(kafka.ConfigMap{"go.delivery.reports": false})
		}, false},
		"wrapped, reports on":  {func(c *cluster) *tracing.TracedProducer { return wrap(c, true) }, true},
		"wrapped, reports off": {func(c *cluster) *tracing.TracedProducer { return wrap(c, false) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := test.producer(c)
			const each = 500
			first, second := make(chan kafka.Event, each), make(chan kafka.Event, each)
			for i := range 4 * each {
				msg := message(topic, "v")
				msg.Opaque = i
				// The last is Events() given as the delivery channel.
				produce(t, p, msg, []chan kafka.Event{first, nil, second, p.Events()}[i%4])
			}
			toEvents := []int{3}
			if test.reports {
				toEvents = []int{1, 3}
			}
			for i := range each {
				wantOpaque(t, "first", nextReport(t, first), 4*i)
				wantOpaque(t, "second", nextReport(t, second), 4*i+2)
				for _, n := range toEvents {
					wantOpaque(t, "Events()", nextReport(t, p.Events()), 4*i+n)
				}
			}
			if n := p.Flush(int(patience.Milliseconds())); n != 0 {
				t.Errorf("Flush returned %d after all reports had been read", n)
			}
			if len(c.ended("kafka.publish")) != 4*each {
				t.Errorf("%d publish spans, want %d", len(c.ended("kafka.publish")), 4*each)
			}
			if durations, sent := c.publishMetrics(); durations[""] != 4*each || sent[""] != 4*each {
				t.Errorf("metrics count %v and %v, want %d each", durations, sent, 4*each)
			}
		})
	}
}

func wantOpaque(t *testing.T, where string, msg *kafka.Message, want any) {
	t.Helper()
	if msg.Opaque != want {
		t.Fatalf("%s: report of %v, want %v", where, msg.Opaque, want)
	}
}

// Traced, unsampled and filtered messages share one channel and keep their order.
func TestProducerRule03OrderOnASharedChannel(t *testing.T) {
	t.Parallel()
	filter := tracing.WithFilter(func(msg *kafka.Message) bool { return msg.Opaque.(int)%3 != 0 })
	for name, size := range map[string]int{"unbuffered": 0, "small": 10, "large": 5000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0.5)))
			topic := c.topic(1)
			p := c.producer(nil, filter)
			const n = 5000
			reports := make(chan kafka.Event, size)
			var producing sync.WaitGroup
			producing.Go(func() {
				for i := range n {
					msg := message(topic, "v")
					msg.Opaque = i
					if err := p.Produce(msg, reports); err != nil {
						t.Error(err)
					}
				}
			})
			for i := range n {
				msg := report(t, reports)
				wantOpaque(t, "shared channel", msg, i)
				if int(msg.TopicPartition.Offset) != i {
					t.Fatalf("message %d has offset %v", i, msg.TopicPartition.Offset)
				}
			}
			producing.Wait()
			_, sent := c.publishMetrics()
			if want := n - (n+2)/3; sent[""] != want {
				t.Errorf("%d messages counted, want %d: all but the filtered", sent[""], want)
			}
		})
	}
}

// The client's own events stay where they were.
func TestProducerRule03OtherEventsReachTheApplication(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(kafka.ConfigMap{"statistics.interval.ms": 20})
	c.brokerDown()
	var stats, failures bool
	deadline := time.After(patience)
	for !stats || !failures {
		select {
		case event := <-p.Events():
			switch event.(type) {
			case *kafka.Stats:
				stats = true
			case kafka.Error:
				failures = true
			}
		case <-deadline:
			t.Fatalf("statistics %v, errors %v", stats, failures)
		}
	}
}

func TestProducerRule04SpanEndsBeforeItsReport(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	const n = 200
	reports := make(chan kafka.Event)
	for range n {
		produce(t, p, message(topic, "v"), reports)
	}
	for i := range n {
		msg := report(t, reports)
		ended := c.ended("kafka.publish")
		if len(ended) <= i {
			t.Fatalf("report %d is here, but only %d spans have ended", i, len(ended))
		}
		if got, want := attributeOf(ended[i], "messaging.kafka.offset"), fmt.Sprint(int(msg.TopicPartition.Offset)); got != want {
			t.Errorf("span %d has offset %s, its report %s", i, got, want)
		}
	}
}

// While a report waits for a reader nothing else does.
func TestProducerRule04NothingIsLockedWhileAReportWaits(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	unread := make(chan kafka.Event)
	produce(t, p, message(topic, "v"), unread)
	eventually(t, "the span ends", func() bool { return len(c.ended("kafka.publish")) == 1 })
	returns(t, "a call beside an unread channel", func() {
		for range 100 {
			produce(t, p, message(topic, "v"), unread)
		}
		p.ProduceChannel() <- message(topic, "v")
		if n := p.Len(); n < 100 {
			t.Errorf("Len is %d with at least 101 reports to come", n)
		}
		if n := p.Flush(0); n < 100 {
			t.Errorf("Flush(0) returned %d with at least 101 reports to come", n)
		}
	})
	for range 101 {
		report(t, unread)
	}
	report(t, p.Events())
}
