package tracing

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Option configures a producer or a consumer. The options are those of this
// package; a nil Option is ignored, and an option given a nil argument means its
// default. Options that have no meaning for one of the two are ignored there.
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// WithTracerProvider sets the provider of the tracer. Default: the global one,
// also if the application sets it later.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return optionFunc(func(c *config) { c.tracerProvider = tp })
}

// WithMeterProvider sets the provider of the meter. Default: the global one,
// also if the application sets it later.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return optionFunc(func(c *config) { c.meterProvider = mp })
}

// WithPropagators sets what writes the context to message headers and reads it
// from them. Default: the global propagator, and W3C Trace Context with W3C
// Baggage while the application has set none.
func WithPropagators(p propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) { c.propagators = p })
}

// WithoutTracing makes no spans. Contexts still travel: what ctx carries is
// written to the headers, and what the headers carry is read. Together with
// [WithoutMetrics] and [WithoutPropagation] calls go straight to the client, unless
// its configuration keeps reports back that Send needs (go.delivery.reports,
// delivery.report.only.error).
func WithoutTracing() Option {
	return WithTracerProvider(tracenoop.NewTracerProvider())
}

// WithoutMetrics records no metrics.
func WithoutMetrics() Option {
	return WithMeterProvider(metricnoop.NewMeterProvider())
}

// WithoutPropagation neither writes nor reads propagation headers: every receive
// starts a trace of its own, and so does every publish that has neither a span in
// its context nor a message received here to continue. Headers that a message
// already has are sent as they are.
func WithoutPropagation() Option {
	return WithPropagators(noPropagator{})
}

// WithSpanNameFormatter sets how spans are named: [KafkaSpanName] (the default),
// [SemconvSpanName] or a function of the application's.
func WithSpanNameFormatter(f SpanNameFormatter) Option {
	return optionFunc(func(c *config) { c.spanName = f })
}

// WithAttributes adds attributes to every span, at its start, where samplers see
// them. Repeated use adds up. Metrics do not get them.
func WithAttributes(attrs ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		c.attributes = append(slices.Clip(c.attributes), attrs...)
	})
}

// WithMessageAttributes adds what f returns to the send, publish, receive and
// process spans of a single message; spans of batches have none. f is called only
// if the span is recording, possibly from several goroutines at once, and must not
// change the message. Default: none.
func WithMessageAttributes(f func(*kafka.Message) []attribute.KeyValue) Option {
	return optionFunc(func(c *config) { c.messageAttributes = f })
}

// WithFilter sets which messages are traced. A message for which f returns false
// is passed through untouched: no span, no metric, no header. Its delivery
// report keeps its place among the others. Default: every message. f is asked
// again when the message is processed, and must give the same answer; it may be
// called from several goroutines at once and must not change the message.
func WithFilter(f func(*kafka.Message) bool) Option {
	return optionFunc(func(c *config) { c.filter = f })
}

// WithLinkedTraces relates spans strictly as the OpenTelemetry messaging
// convention has it: receive spans (kind CLIENT) and process spans are children
// of the caller's context, or roots, and link to the message's creation context.
// Default: receive is a child of the message's creation context and process a
// child of receive, so that one trace shows a message's whole way.
//
// Without a span in the caller's context, receive and process then each begin a
// trace of their own and are sampled on their own: with a ratio sampler the
// consumer's traces are no longer those of the producer's.
func WithLinkedTraces() Option {
	return optionFunc(func(c *config) { c.linkedTraces = true })
}

// WithLegacyAttributes adds, on spans, the attribute names of the messaging
// convention before its version 1.25 (messaging.destination,
// messaging.kafka.partition and so on), for dashboards that have not moved. The
// environment variable OTEL_SEMCONV_STABILITY_OPT_IN with messaging/dup in its
// list does the same.
func WithLegacyAttributes() Option {
	return optionFunc(func(c *config) { c.legacyAttributes = true })
}

// WithMessageKeyFormatter sets how the key of a message becomes the attribute
// messaging.kafka.message.key. f is called with a non-nil key and only if the
// span is recording; "" and what is not valid UTF-8 leave the attribute out.
// Default: the key itself.
func WithMessageKeyFormatter(f func(key []byte) string) Option {
	return optionFunc(func(c *config) { c.formatKey = f })
}

// WithoutMessageKey leaves out the attribute messaging.kafka.message.key, for
// keys that identify people.
func WithoutMessageKey() Option {
	return WithMessageKeyFormatter(func([]byte) string { return "" })
}

// WithMessageBody records up to limit bytes of the value of a message as
// messaging.message.body, where that is valid UTF-8. Default: none. Bodies often
// hold personal data or secrets; whoever can read the traces can read them. A
// limit of 0 or less records none.
func WithMessageBody(limit int) Option {
	return optionFunc(func(c *config) { c.bodyLimit = limit })
}

// WithCapturedHeaders records the values of the named headers as string slices
// messaging.header.<name>. Names are compared byte by byte; values that are not
// valid UTF-8 are left out. Repeated use adds up. Default: none. Headers may
// hold credentials.
func WithCapturedHeaders(names ...string) Option {
	return optionFunc(func(c *config) {
		c.capturedHeaders = append(slices.Clip(c.capturedHeaders), names...)
	})
}

// WithMessageIDHeader names the header whose value becomes messaging.message.id.
// Default: none; Kafka itself has no message id, and the key is not one.
func WithMessageIDHeader(name string) Option {
	return optionFunc(func(c *config) { c.messageIDHeader = name })
}

// WithConversationIDHeader names the header whose value becomes
// messaging.message.conversation_id. Default: none.
func WithConversationIDHeader(name string) Option {
	return optionFunc(func(c *config) { c.conversationIDHeader = name })
}

// WithPartitionOnMetrics adds messaging.destination.partition.id to the metrics.
// Default: off, since the SDK folds what is over 2,000 series of a metric
// together.
func WithPartitionOnMetrics() Option {
	return optionFunc(func(c *config) { c.partitionOnMetrics = true })
}

// WithConsumerGroup tells the consumer group of a client given to
// [WrapConsumer], for messaging.consumer.group.name. [NewConsumer] reads it from
// group.id; so it does if group is empty.
func WithConsumerGroup(group string) Option {
	return optionFunc(func(c *config) { c.consumerGroup = cmp.Or(group, c.consumerGroup) })
}

// WithClientID tells the client id, for messaging.client.id. Default: client.id
// of the configuration, else the client's own name, such as rdkafka#producer-1.
func WithClientID(id string) Option {
	return optionFunc(func(c *config) { c.clientID = cmp.Or(id, c.clientID) })
}

// WithServerAddress tells the address of the Kafka cluster, "host" or
// "host:port", for server.address and server.port (9092 if there is no port).
// Default: that of the bootstrap server, if the configuration names exactly one.
func WithServerAddress(address string) Option {
	return optionFunc(func(c *config) {
		if host, port := splitServer(address); host != "" {
			c.serverAddress, c.serverPort = host, port
		}
	})
}

// WithDeliveryReports tells whether a client given to [WrapProducer] has
// go.delivery.reports on, which decides whether the report of a message without
// a delivery channel goes to Events() or nowhere. Default: true, as the client's.
// [NewProducer] reads it from the configuration.
func WithDeliveryReports(enabled bool) Option {
	return optionFunc(func(c *config) { c.deliveryReports = enabled })
}

// WithBatchProducer tells whether a client given to [WrapProducer] has
// go.batch.producer on. Default: false. [NewProducer] reads it from the
// configuration.
func WithBatchProducer(enabled bool) Option {
	return optionFunc(func(c *config) { c.batchProducer = enabled })
}

// splitServer splits a broker address as librdkafka takes it,
// [protocol://]host[:port], with IPv6 hosts in brackets. Kafka's own port is the
// default.
func splitServer(server string) (host string, port int) {
	if _, rest, ok := strings.Cut(server, "://"); ok {
		server = rest
	}
	server = strings.TrimSpace(server)
	h, p, err := net.SplitHostPort(server)
	if err != nil {
		h = strings.Trim(server, "[]")
	}
	if h == "" {
		return "", 0
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return h, 9092
	}
	return h, int(n)
}
