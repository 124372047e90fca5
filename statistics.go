package tracing

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

// WithStatisticsMetrics reports the client's own statistics as metrics
// kafka.client.*: a consumer's lag and offsets for each partition assigned to it,
// the state, requests, errors and round-trip times of each connection, what is
// queued, sent and received, rebalances. docs/metrics.md lists them. Default: off.
//
// The client takes them every statistics.interval.ms. If the application has set
// that, its interval stands, and the [kafka.Stats] events reach the application
// as before. If not, or to 0, [NewProducer] and [NewConsumer] set 15 seconds, and
// the application does not see the events. With [WrapProducer] and [WrapConsumer]
// there are metrics only if the client has an interval.
//
// A consumer's statistics come with its polls: while it is not polled the metrics
// stand still, as kafka.client.statistics.timestamp tells. They are gone once the
// client is closed. A consumer with more than 2,000 partitions needs a higher
// cardinality limit in the SDK (its WithCardinalityLimit).
func WithStatisticsMetrics() Option {
	return optionFunc(func(c *config) { c.statistics = true })
}

// statisticsInterval is set where the application has set none, in milliseconds.
const statisticsInterval = 15_000

// setStatisticsInterval makes the client take statistics if they are wanted and
// the application has not asked for them itself.
func (c *config) setStatisticsInterval(conf kafka.ConfigMap) {
	const key = "statistics.interval.ms"
	if !c.statistics {
		return
	}
	if _, ok := conf[key]; ok {
		// As librdkafka reads it. What it refuses is left for it to refuse.
		if n, err := strconv.ParseInt(confText(conf, key), 0, 64); err != nil || n != 0 {
			return
		}
	}
	conf[key] = c.statisticsInterval
	c.ownStatistics = true
}

// statistics is what a client has said of itself last. A nil one is for a client
// of which nobody wants to know.
//
// A document is read when metrics are collected, and not when it comes in: that
// costs the poll nothing, and nothing is read that nobody collects, however short
// the interval is, or however many have piled up while a consumer was not polled.
type statistics struct {
	role     clientstats.Role
	own      bool // the events are not the application's
	isClosed func() bool
	common   commonAttributes

	latest atomic.Pointer[kafka.Stats] // not read so far

	mu        sync.Mutex // one collection at a time
	current   *observed
	malformed bool // the last document was

	observables  observables
	registration metric.Registration
}

// client is a raw producer or consumer.
type client interface {
	fmt.Stringer
	IsClosed() bool
}

// newStatistics registers the instruments of a client; nil if they are not wanted.
func newStatistics(c *config, raw client, role clientstats.Role) *statistics {
	if !c.statistics {
		return nil
	}
	s := &statistics{
		role:     role,
		own:      c.ownStatistics,
		isClosed: raw.IsClosed,
		common:   newCommonAttributes(c, raw.String(), role),
	}
	meter := newMeter(c.meterProvider)
	s.observables = newObservables(meter, role)
	registration, err := meter.RegisterCallback(s.observe, s.observables.all()...)
	if err != nil {
		otel.Handle(err)
	}
	s.registration = registration
	return s
}

// take keeps an event if it is one of statistics. It reports whether the event is
// ours alone, not to be handed to the application.
func (s *statistics) take(event kafka.Event) (own bool) {
	if s == nil {
		return false
	}
	stats, ok := event.(*kafka.Stats)
	if !ok {
		return false
	}
	if stats != nil {
		s.latest.Store(stats)
	}
	return s.own
}

// hides reports whether there may be events that are ours alone.
func (s *statistics) hides() bool { return s != nil && s.own }

// close takes the instruments back. No collection is under way when it returns.
func (s *statistics) close() {
	if s == nil {
		return
	}
	if s.registration != nil {
		if err := s.registration.Unregister(); err != nil {
			otel.Handle(err)
		}
	}
	s.latest.Store(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// refresh reads the document that has come in since the last collection. One that
// cannot be read is passed over, and told once: the next may be as bad.
func (s *statistics) refresh() {
	latest := s.latest.Swap(nil)
	if latest == nil {
		return
	}
	snapshot, err := clientstats.Parse([]byte(latest.String()), s.role)
	if err != nil {
		if !s.malformed {
			otel.Handle(fmt.Errorf("tracing: statistics of %s: %w", s.common.name, err))
		}
		s.malformed = true
		return
	}
	s.malformed = false
	s.current = s.common.observed(snapshot)
}
