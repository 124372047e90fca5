package tracing_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// functions are the exported functions of the package.
var functions = map[string]any{
	"NewProducer": tracing.NewProducer, "WrapProducer": tracing.WrapProducer,
	"NewConsumer": tracing.NewConsumer, "WrapConsumer": tracing.WrapConsumer,

	"ContextFromMessage": tracing.ContextFromMessage,
	"NewMessageCarrier":  tracing.NewMessageCarrier,
	"IsRetriable":        tracing.IsRetriable,
	"KafkaSpanName":      tracing.KafkaSpanName,
	"SemconvSpanName":    tracing.SemconvSpanName,

	"WithTracerProvider": tracing.WithTracerProvider, "WithoutTracing": tracing.WithoutTracing,
	"WithMeterProvider": tracing.WithMeterProvider, "WithoutMetrics": tracing.WithoutMetrics,
	"WithPropagators": tracing.WithPropagators, "WithoutPropagation": tracing.WithoutPropagation,
	"WithSpanNameFormatter": tracing.WithSpanNameFormatter, "WithFilter": tracing.WithFilter,
	"WithAttributes": tracing.WithAttributes, "WithMessageAttributes": tracing.WithMessageAttributes,
	"WithMessageKeyFormatter": tracing.WithMessageKeyFormatter, "WithoutMessageKey": tracing.WithoutMessageKey,
	"WithMessageBody": tracing.WithMessageBody, "WithCapturedHeaders": tracing.WithCapturedHeaders,
	"WithMessageIDHeader": tracing.WithMessageIDHeader, "WithConversationIDHeader": tracing.WithConversationIDHeader,
	"WithLinkedTraces": tracing.WithLinkedTraces, "WithLegacyAttributes": tracing.WithLegacyAttributes,
	"WithCommitSpans": tracing.WithCommitSpans, "WithTransactionSpans": tracing.WithTransactionSpans,
	"WithProcessSpanUntilNextPoll": tracing.WithProcessSpanUntilNextPoll,
	"WithPartitionOnMetrics":       tracing.WithPartitionOnMetrics, "WithStatisticsMetrics": tracing.WithStatisticsMetrics,
	"WithConsumerGroup": tracing.WithConsumerGroup, "WithClientID": tracing.WithClientID,
	"WithServerAddress": tracing.WithServerAddress, "WithDeliveryReports": tracing.WithDeliveryReports,
	"WithBatchProducer": tracing.WithBatchProducer,

	"WithRetry": tracing.WithRetry, "WithCommitInterval": tracing.WithCommitInterval,
	"WithErrorHandler": tracing.WithErrorHandler, "WithEventHandler": tracing.WithEventHandler,
}

func TestSurfaceFunctions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
				found++
				if functions[f.Name.Name] == nil {
					t.Errorf("%s is not in the list", f.Name.Name)
				}
			}
		}
	}
	if found != len(functions) {
		t.Errorf("%d functions, %d listed", found, len(functions))
	}
}

// Every function beside every other, on the same message, configuration and options,
// while the clients that they make work and close: the race detector sees what is
// written to.
func TestFunctionsConcurrently(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	shared := headed(header("k", "v"), traceparent(spanContext(1)))
	shared.TopicPartition.Topic = &topic
	conf := c.consumerConfig(nil)

	args := newArguments(t, topic)
	share := func(v any) func() any { return func() any { return v } }
	args[reflect.TypeFor[*kafka.Message]()] = share(shared)
	args[reflect.TypeFor[*kafka.ConfigMap]()] = share(conf)
	args[reflect.TypeFor[*kafka.Producer]()] = func() any { return c.rawProducer(nil) }
	args[reflect.TypeFor[*kafka.Consumer]()] = func() any { return c.rawConsumer("", nil) }
	args[reflect.TypeFor[trace.TracerProvider]()] = share(c.tp)
	args[reflect.TypeFor[metric.MeterProvider]()] = share(c.mp)
	args[reflect.TypeFor[propagation.TextMapPropagator]()] = share(w3c)
	args[reflect.TypeFor[tracing.SpanNameFormatter]()] = share(tracing.SemconvSpanName)
	args[reflect.TypeFor[func(*kafka.Message) bool]()] = share(func(*kafka.Message) bool { return true })
	args[reflect.TypeFor[tracing.Operation]()] = share(tracing.OperationPublish)
	args[reflect.TypeFor[tracing.RetryPolicy]()] = share(tracing.RetryPolicy{})
	args[reflect.TypeFor[attribute.KeyValue]()] = share(attribute.String("team", "checkout"))
	args[reflect.TypeFor[error]()] = share(kafka.NewError(kafka.ErrQueueFull, "full", false))
	args[reflect.TypeFor[bool]()] = share(false)

	// One set of options for all clients, but for those that turn something off.
	var options []reflect.Value
	for name, f := range functions {
		f := reflect.ValueOf(f)
		if f.Type().Out(0) == reflect.TypeFor[tracing.Option]() && !strings.HasPrefix(name, "Without") {
			options = append(options, args.call(f)[0])
		}
	}
	var calls sync.WaitGroup
	for range 3 {
		for _, f := range functions {
			calls.Go(func() {
				f, more := reflect.ValueOf(f), []reflect.Value(nil)
				if n := f.Type().NumIn(); n > 0 && f.Type().In(n-1) == reflect.TypeFor[[]tracing.Option]() {
					more = options
				}
				for _, result := range args.call(f, more...) {
					workAndClose(t, result, shared)
				}
			})
		}
	}
	returns(t, "some function", calls.Wait)
	if got, want := headerLines(shared.Headers), headerLines([]kafka.Header{header("k", "v"), traceparent(spanContext(1))}); got != want {
		t.Errorf("the message has headers %s", got)
	}
}

// workAndClose uses what a function returned, if it is a client, and closes it.
func workAndClose(t *testing.T, result reflect.Value, msg *kafka.Message) {
	t.Helper()
	switch client := result.Interface().(type) {
	case *tracing.TracedProducer:
		if err := client.Produce(msg, nil); err != nil {
			t.Error(err)
		}
		client.Close()
	case *tracing.TracedConsumer:
		err := client.Process(t.Context(), msg, func(ctx context.Context) error {
			if !spanIn(tracing.ContextFromMessage(ctx, msg)).IsValid() {
				t.Error("no context")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	case error:
		t.Error(client)
	}
}
