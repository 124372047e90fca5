package tracing

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// config is what the options and the client's own configuration say.
type config struct {
	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	propagators    propagation.TextMapPropagator // nil: the global one

	spanName          SpanNameFormatter
	attributes        []attribute.KeyValue
	messageAttributes func(*kafka.Message) []attribute.KeyValue
	filter            func(*kafka.Message) bool
	formatKey         func([]byte) string
	linkedTraces      bool
	legacyAttributes  bool

	bodyLimit            int
	capturedHeaders      []string
	messageIDHeader      string
	conversationIDHeader string
	partitionOnMetrics   bool
	statistics           bool
	statisticsInterval   int // in milliseconds, where the application has set none
	commitSpans          bool
	transactionSpans     bool
	processUntilNextPoll bool

	// disabled tells that there is nothing to do but to call the client.
	disabled bool

	// What the client's configuration says, or an option where it cannot.
	consumerGroup   string
	clientID        string
	serverAddress   string
	serverPort      int
	deliveryReports bool
	onlyErrors      bool // no report of a success is wanted
	batchProducer   bool
	storesOffsets   bool // the client stores an offset before its message is handled
	ownStatistics   bool // the client takes statistics for us alone
}

// newConfig applies the options over what the client's configuration says, and
// that over the defaults. conf is nil for a client that exists already.
func newConfig(conf kafka.ConfigMap, opts []Option) *config {
	c := &config{
		deliveryReports:  true,
		legacyAttributes: stabilityOptIn("messaging/dup"),

		statisticsInterval: statisticsInterval,
	}
	c.readClient(conf)
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	if c.tracerProvider == nil {
		c.tracerProvider = otel.GetTracerProvider()
	}
	if c.meterProvider == nil {
		c.meterProvider = otel.GetMeterProvider()
	}
	if c.spanName == nil {
		c.spanName = KafkaSpanName
	}
	if c.formatKey == nil {
		c.formatKey = textKey
	}
	if !c.traces() {
		// Without spans to link, contexts can only be passed on.
		c.linkedTraces = false
	}
	c.statistics = c.statistics && c.measures()
	// Send needs every report, which the client alone would not give it then.
	c.disabled = !c.propagates() && !c.traces() && !c.measures() && c.deliveryReports && !c.onlyErrors
	return c
}

// readClient takes what spans say of the client from its configuration.
func (c *config) readClient(conf kafka.ConfigMap) {
	c.consumerGroup = confText(conf, "group.id")
	c.clientID = confText(conf, "client.id")
	servers := confText(conf, "bootstrap.servers")
	if servers == "" {
		servers = confText(conf, "metadata.broker.list")
	}
	// With several servers none of them is the one that a message goes to.
	if server := strings.TrimRight(servers, ", "); !strings.Contains(server, ",") {
		c.serverAddress, c.serverPort = splitServer(server)
	}
	if on, ok := conf["go.delivery.reports"].(bool); ok {
		c.deliveryReports = on
	}
	if on, ok := conf["go.batch.producer"].(bool); ok {
		c.batchProducer = on
	}
	if _, ok := conf[onlyErrorsKey].(bool); !ok {
		switch strings.ToLower(confText(conf, onlyErrorsKey)) {
		case "true", "t", "1":
			c.onlyErrors = true
		}
	}
	c.storesOffsets = conf != nil && !storesOnDemand(conf)
}

// onlyErrorsKey is refused by the Go client as a bool and taken as a string.
const onlyErrorsKey = "delivery.report.only.error"

// storesOnDemand reports whether enable.auto.offset.store is off.
func storesOnDemand(conf kafka.ConfigMap) bool {
	const key = "enable.auto.offset.store"
	if topicConf, ok := conf["default.topic.config"].(kafka.ConfigMap); ok && topicConf[key] != nil {
		conf = topicConf // it takes precedence
	}
	switch strings.ToLower(confText(conf, key)) {
	case "false", "f", "0":
		return true
	}
	return false
}

// propagates reports whether contexts are written and read at all.
func (c *config) propagates() bool {
	return !propagatesNothing(c.propagators)
}

// traces reports whether spans are made; a provider that makes none is known by
// its type, so that [WithoutTracing] needs no flag of its own.
func (c *config) traces() bool {
	_, noop := c.tracerProvider.(tracenoop.TracerProvider)
	return !noop
}

// measures reports whether metrics are recorded.
func (c *config) measures() bool {
	_, noop := c.meterProvider.(metricnoop.MeterProvider)
	return !noop
}

// traced reports whether the filter lets a message be traced.
func (c *config) traced(msg *kafka.Message) bool {
	return c.filter == nil || c.filter(msg)
}

// confText returns a value of the client's configuration as librdkafka reads it.
func confText(conf kafka.ConfigMap, key string) string {
	switch v := conf[key].(type) {
	case string:
		return v
	case int, bool, fmt.Stringer:
		return fmt.Sprint(v)
	default:
		return "" // the client refuses it
	}
}

// stabilityOptIn reports whether value is in OTEL_SEMCONV_STABILITY_OPT_IN.
func stabilityOptIn(value string) bool {
	list := strings.Split(os.Getenv("OTEL_SEMCONV_STABILITY_OPT_IN"), ",")
	return slices.ContainsFunc(list, func(v string) bool { return strings.TrimSpace(v) == value })
}

// handOverSlots is the size of the client's own event channel, out of which the
// wrapper feeds the channel that the application sees. Below 64 slots a message
// costs measurably more.
const handOverSlots = 1024

// cloneConfig returns a copy of the application's configuration, which is never
// changed. It refuses what would make the client panic; every other mistake gets
// the client's own error.
func cloneConfig(conf *kafka.ConfigMap) (kafka.ConfigMap, error) {
	if conf == nil {
		return nil, invalidConfig("the configuration is nil")
	}
	for _, key := range []string{"go.events.channel.size", "go.produce.channel.size"} {
		if n, ok := (*conf)[key].(int); ok && (n < 0 || n > math.MaxInt32) {
			return nil, invalidConfig("%s is %d, which is no size", key, n)
		}
	}
	if v, ok := (*conf)["go.logs.channel"]; ok && v != nil {
		if _, ok := v.(chan kafka.LogEvent); !ok {
			return nil, invalidConfig("go.logs.channel expects type chan kafka.LogEvent, not %T", v)
		}
	}
	c := maps.Clone(*conf)
	if c == nil {
		c = kafka.ConfigMap{}
	}
	return c, nil
}

// replaceSize puts size in the place of a channel size of the configuration and
// returns the one that the application asked for. A value of a wrong type stays,
// for the client to refuse.
func replaceSize(conf kafka.ConfigMap, key string, size, byDefault int) int {
	v, ok := conf[key]
	if !ok {
		conf[key] = size
		return byDefault
	}
	asked, ok := v.(int)
	if ok {
		conf[key] = size
	}
	return asked
}

func invalidConfig(format string, args ...any) error {
	return kafka.NewError(kafka.ErrInvalidArg, "tracing: "+fmt.Sprintf(format, args...), false)
}

// errClosed is the client's own error for a call on a closed client.
func errClosed() error {
	return kafka.NewError(kafka.ErrState, "Operation not allowed on closed client", false)
}
