package tracing

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

// What the black-box tests need of the inside.

// ErrorType is the value of error.type for an error.
func ErrorType(err error) string { return errorType(err) }

// ErrorNames is the generated table.
func ErrorNames() map[kafka.ErrorCode]string { return errorNames }

// Answer is what ReadMessage makes of an event. This client version hands over no
// message with an error, so that only a made-up one can show that both come back.
func Answer(event kafka.Event) (msg *kafka.Message, final bool, err error) { return answer(event) }

// WithStatisticsInterval sets, in milliseconds, what WithStatisticsMetrics sets where the
// application has set no interval.
func WithStatisticsInterval(ms int) Option {
	return optionFunc(func(c *config) { c.statisticsInterval = ms })
}

// SetStatisticsInterval does to conf what a client with these options does to its own
// copy. It reports whether the events are kept from the application.
func SetStatisticsInterval(conf kafka.ConfigMap, opts ...Option) (own bool) {
	c := newConfig(conf, opts)
	c.setStatisticsInterval(conf)
	return c.ownStatistics
}

// Enter is what a call does that is in the client; leave must follow.
func (c *TracedConsumer) Enter() (leave func()) {
	if !c.gate.enter() {
		panic("closed")
	}
	return c.gate.leave
}

// Inside tells how many calls are in the client.
func (c *TracedConsumer) Inside() int64 { return c.gate.calls.Load() }

// Inside tells how many calls are in the client, or in this package on their way there.
func (p *TracedProducer) Inside() int64 { return p.gate.calls.Load() }

// Done is closed once the goroutine behind Events() has ended.
func (c *TracedConsumer) Done() <-chan struct{} { return c.done }

// SplitServer is how a broker's address is read.
func SplitServer(server string) (host string, port int) { return splitServer(server) }
