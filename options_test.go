package tracing_test

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kafkatrace/tracing"
)

// A nil option is ignored, and so is a nil or empty argument.
func TestOptionsNilIsTheDefault(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	msg := func() *kafka.Message { return headed(traceparent(spanContext(1)), header("a", "b")) }
	want := c.receivedAttributes(msg())
	got := c.receivedAttributes(msg(), nil,
		tracing.WithSpanNameFormatter(nil), tracing.WithAttributes(), tracing.WithMessageAttributes(nil), tracing.WithFilter(nil),
		tracing.WithMessageKeyFormatter(nil), tracing.WithMessageBody(0), tracing.WithCapturedHeaders(),
		tracing.WithMessageIDHeader(""), tracing.WithConversationIDHeader(""),
		tracing.WithConsumerGroup(""), tracing.WithClientID(""), tracing.WithServerAddress(""), nil)
	if !got.Equals(&want) {
		t.Errorf("attributes %s, want %s", got.Encoded(attribute.DefaultEncoder()), want.Encoded(attribute.DefaultEncoder()))
	}
	for _, span := range c.ended("kafka.receive") {
		if span.Parent().SpanID() != spanContext(1).SpanID() {
			t.Errorf("parent %v", span.Parent())
		}
	}
}

// Nil providers and propagators are the global ones, of which the test has none.
func TestOptionsNilProviders(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, msg := c.receive(headed(traceparent(spanContext(1))),
		tracing.WithTracerProvider(nil), tracing.WithMeterProvider(nil), tracing.WithPropagators(nil))
	if n := len(c.spans.Started()); n != 0 {
		t.Errorf("%d spans", n)
	}
	if _, ok := c.collected("messaging.client.consumed.messages"); ok {
		t.Error("there are metrics")
	}
	if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(1)) {
		t.Errorf("continues %+v", got)
	}
}

func TestOptionsAreNotSharedBetweenClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	shared := []tracing.Option{tracing.WithAttributes(attribute.String("a", "1")), tracing.WithCapturedHeaders("x")}
	one := c.receivedAttributes(headed(header("x", "1"), header("y", "1")), append(shared[:2:2], tracing.WithAttributes(attribute.String("b", "1")), tracing.WithCapturedHeaders("y"))...)
	two := c.receivedAttributes(headed(header("x", "1"), header("y", "1")), shared...)
	assertValue(t, one, "b", "1")
	assertValue(t, two, "a", "1")
	assertAbsent(t, two, "b", "messaging.header.y")
}

func TestOptionSpanNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format                    tracing.SpanNameFormatter
		publish, receive, process string
	}{
		"default": {nil, "kafka.publish", "kafka.receive", "kafka.process"},
		"kafka":   {tracing.KafkaSpanName, "kafka.publish", "kafka.receive", "kafka.process"},
		"semconv": {tracing.SemconvSpanName, "publish orders", "receive orders", "process orders"},
		"own":     {func(op tracing.Operation, topic string) string { return topic + "/" + string(op) }, "orders/publish", "orders/receive", "orders/process"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if err := c.mock.CreateTopic("orders", 1, 1); err != nil {
				t.Fatal(err)
			}
			opt := tracing.WithSpanNameFormatter(test.format)
			p := c.producer(nil, opt)
			if err := p.Produce(message("orders", "x"), nil); err != nil {
				t.Fatal(err)
			}
			report(t, p.Events())
			consumer, msg := c.receive(headed(), opt)
			_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })
			c.only(test.publish)
			c.only(test.receive)
			c.only(test.process)
		})
	}
	if got := tracing.SemconvSpanName(tracing.OperationReceive, ""); got != "receive" {
		t.Errorf("without a topic: %q", got)
	}
}

func TestOptionServerAddress(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]struct {
		host string
		port int
	}{
		"kafka.example:9093":            {"kafka.example", 9093},
		"kafka.example":                 {"kafka.example", 9092},
		"SASL_SSL://kafka.example:9094": {"kafka.example", 9094},
		"plaintext://kafka.example":     {"kafka.example", 9092},
		"[2001:db8::1]:9093":            {"2001:db8::1", 9093},
		"[2001:db8::1]":                 {"2001:db8::1", 9092},
		"ssl://[2001:db8::1]:9093":      {"2001:db8::1", 9093},
		"2001:db8::1":                   {"2001:db8::1", 9092},
		"\tkafka.example:9093":          {"kafka.example", 9093},
		"kafka.example:":                {"kafka.example", 9092},
		"":                              {"", 0},
		":9092":                         {"", 0},
		"ssl://":                        {"", 0},
	} {
		if host, port := tracing.SplitServer(server); host != want.host || port != want.port {
			t.Errorf("%q is read as %q, %d", server, host, port)
		}
	}
	c := newCluster(t)
	own := c.mock.BootstrapServers()
	for servers, there := range map[string]bool{
		own: true, own + ",": true, "PLAINTEXT://" + own: true,
		own + ",localhost:1": false, own + "," + own: false,
	} {
		consumer, err := tracing.NewConsumer(c.consumerConfig(kafka.ConfigMap{"bootstrap.servers": servers}), c.options()...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = consumer.Close() })
		before := len(c.ended("kafka.process"))
		_ = consumer.Process(context.Background(), headed(), func(context.Context) error { return nil })
		set := attribute.NewSet(c.ended("kafka.process")[before].Attributes()...)
		if !there {
			assertAbsent(t, set, "server.address", "server.port")
			continue
		}
		for _, kv := range c.serverAttributes() {
			assertValue(t, set, kv.Key, kv.Value.String())
		}
	}
	// Also under its older name, and by option where there are several.
	conf := c.consumerConfig(kafka.ConfigMap{"metadata.broker.list": own})
	delete(*conf, "bootstrap.servers")
	consumer, err := tracing.NewConsumer(conf, c.options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	_ = consumer.Process(context.Background(), headed(), func(context.Context) error { return nil })
	spans := c.ended("kafka.process")
	for _, kv := range c.serverAttributes() {
		assertValue(t, attribute.NewSet(spans[len(spans)-1].Attributes()...), kv.Key, kv.Value.String())
	}
	set := c.receivedAttributes(headed(), tracing.WithServerAddress("lb.example:443"))
	assertValue(t, set, "server.address", "lb.example")
	assertValue(t, set, "server.port", "443")
}

// The caller's configuration is never changed, and options go before it.
func TestOptionsAndTheConfiguration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	conf := c.consumerConfig(kafka.ConfigMap{"client.id": "till", "go.events.channel.size": 7, "go.events.channel.enable": true})
	before := len(*conf)
	consumer, err := tracing.NewConsumer(conf, c.options(tracing.WithClientID("other"), tracing.WithConsumerGroup("ledger"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	if len(*conf) != before || (*conf)["go.events.channel.size"] != 7 || cap(consumer.Events()) != 7 {
		t.Errorf("the configuration is %v", *conf)
	}
	_ = consumer.Process(context.Background(), headed(), func(context.Context) error { return nil })
	set := attribute.NewSet(c.only("kafka.process").Attributes()...)
	assertValue(t, set, "messaging.client.id", "other")
	assertValue(t, set, "messaging.consumer.group.name", "ledger")
}

// What kafka.NewConsumer refuses is refused with its own error, and what makes it
// panic with an error.
func TestOptionsInvalidConfiguration(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]*kafka.ConfigMap{
		"no group":      {},
		"unknown key":   {"group.id": "g", "no.such.key": 1},
		"wrong type":    {"group.id": "g", "go.events.channel.enable": "yes"},
		"invalid value": {"group.id": "g", "auto.offset.reset": "sideways"},
	} {
		_, want := kafka.NewConsumer(conf)
		if c, err := tracing.NewConsumer(conf); c != nil || err != want {
			t.Errorf("%s: %v, %v; want %v", name, c, err, want)
		}
	}
	for name, conf := range map[string]*kafka.ConfigMap{
		"nil":           nil,
		"negative size": {"group.id": "g", "go.events.channel.enable": true, "go.events.channel.size": -1},
		"logs channel":  {"group.id": "g", "go.logs.channel.enable": true, "go.logs.channel": make(chan int)},
	} {
		c, err := tracing.NewConsumer(conf)
		if e, ok := err.(kafka.Error); c != nil || !ok || e.Code() != kafka.ErrInvalidArg {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("WrapConsumer(nil) does not panic")
		}
	}()
	tracing.WrapConsumer(nil)
}
