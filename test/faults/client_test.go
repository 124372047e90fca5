//go:build integration

package faults

import (
	"context"
	"maps"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kafkatrace/tracing"
)

// client is what an application's producer and consumer are made with: the client itself, or this library.
type client struct {
	name     string
	recorder *tracetest.SpanRecorder // nil: the client itself
	metrics  *sdkmetric.ManualReader
	opts     []tracing.Option
}

func rawClient() *client { return &client{name: "raw"} }

func tracedClient(t *testing.T, opts ...tracing.Option) *client {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = tp.Shutdown(context.Background()) })
	reader := sdkmetric.NewManualReader()
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() { _ = mp.Shutdown(context.Background()) })
	opts = append(opts, tracing.WithTracerProvider(tp), tracing.WithMeterProvider(mp))
	return &client{name: "traced", recorder: recorder, metrics: reader, opts: opts}
}

// clientConfig is a client's configuration; kv overrides and adds.
func clientConfig(bootstrap string, kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"bootstrap.servers": bootstrap, "log_level": 0, "enable.metrics.push": false,
		"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 250,
		// Not every broker knows at once of a topic that was just made.
		"topic.metadata.refresh.interval.ms": 1000,
	}
	maps.Copy(conf, kv)
	return &conf
}

// producer makes a producer, closed at the end of the test.
func (c *client) producer(t *testing.T, conf *kafka.ConfigMap) tracing.Producer {
	t.Helper()
	var p tracing.Producer
	var err error
	if c.recorder == nil {
		p, err = kafka.NewProducer(conf)
	} else {
		p, err = tracing.NewProducer(conf, c.opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// consumer makes a consumer, closed at the end of the test.
func (c *client) consumer(t *testing.T, conf *kafka.ConfigMap) tracing.Consumer {
	t.Helper()
	var consumer tracing.Consumer
	var err error
	if c.recorder == nil {
		consumer, err = kafka.NewConsumer(conf)
	} else {
		consumer, err = tracing.NewConsumer(conf, c.opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
	return consumer
}
