// Package tracing traces [confluent-kafka-go] with OpenTelemetry. Replace
//
//	kafka.NewProducer(conf)    by    tracing.NewProducer(conf)
//	kafka.NewConsumer(conf)    by    tracing.NewConsumer(conf)
//
// and every message carries W3C Trace Context in its headers; every publish is a
// span that ends with the delivery report, with the real partition, offset or
// error; and every message received is a span of the same trace (a batch links to
// the traces of its messages). Nothing else that the application can observe
// changes: reports arrive where, and in the order in which, the client would
// deliver them, and messages are not written to. There are two exceptions. The
// Opaque of a consumed message, which the client leaves nil, holds the message's
// context. And where the client would crash or hang, as after Close, this package
// answers with an error; docs/reliability.md lists these.
//
// On the consumer's side work continues with [TracedConsumer.Process], or with
// [ContextFromMessage] where a context is all that is needed.
//
// Providers and propagators are the global ones unless options say otherwise.
// The package imports the OpenTelemetry API only: without an SDK in the
// application it makes no spans, and passes contexts on.
//
// [confluent-kafka-go]: https://github.com/confluentinc/confluent-kafka-go
package tracing
