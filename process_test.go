package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// errTypeOf is the error.type of a span, "" without one.
func errTypeOf(span sdktrace.ReadOnlySpan) string {
	set := attribute.NewSet(span.Attributes()...)
	v, _ := set.Value("error.type")
	return v.AsString()
}

func TestProcessErrors(t *testing.T) {
	t.Parallel()
	var typedNil *kafka.Error
	for name, test := range map[string]struct {
		err         error
		errorType   string
		description string
	}{
		"none":            {},
		"plain":           {errors.New("declined"), "*errors.errorString", "declined"},
		"kafka":           {kafka.NewError(kafka.ErrNotLeaderForPartition, "moved", false), "NOT_LEADER_OR_FOLLOWER", "moved"},
		"wrapped kafka":   {fmt.Errorf("forward: %w", kafka.NewError(kafka.ErrQueueFull, "full", false)), "_QUEUE_FULL", "forward: full"},
		"context":         {context.Canceled, "context.Canceled", "context canceled"},
		"binary":          {errors.New("decode \xff"), "*errors.errorString", "decode \ufffd"},
		"nil in an error": {typedNil, "*kafka.Error", "<nil>"},
		"nil of another":  {(*fs.PathError)(nil), "*fs.PathError", "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			consumer := c.consumer("", nil)
			err := consumer.Process(context.Background(), headed(), func(ctx context.Context) error {
				if !trace.SpanFromContext(ctx).IsRecording() {
					t.Error("the handler has no open span")
				}
				return test.err
			})
			if err != test.err {
				t.Errorf("Process returned %v, not %v", err, test.err)
			}
			span := c.only("kafka.process")
			want := sdktrace.Status{}
			if test.err != nil {
				want = sdktrace.Status{Code: codes.Error, Description: test.description}
			}
			if span.Status() != want || errTypeOf(span) != test.errorType || len(span.Events()) != 0 {
				t.Errorf("status %+v, error.type %q, events %v", span.Status(), errTypeOf(span), span.Events())
			}
			if got := c.measured("messaging.process.duration", attribute.String("error.type", test.errorType)); test.err != nil && got != 1 {
				t.Errorf("%d measurements with error.type %s", got, test.errorType)
			}
		})
	}
}

func TestProcessPanics(t *testing.T) {
	t.Parallel()
	type mine struct{ n int }
	for _, value := range []any{"boom", mine{7}, errors.New("an error"), kafka.NewError(kafka.ErrQueueFull, "full", false)} {
		t.Run(fmt.Sprintf("%T", value), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			consumer := c.consumer("", nil)
			func() {
				defer func() {
					if got := recover(); got != value {
						t.Errorf("panicked with %v, not with %v", got, value)
					}
				}()
				_ = consumer.Process(context.Background(), headed(), func(context.Context) error { panic(value) })
				t.Error("the panic is lost")
			}()
			span := c.only("kafka.process")
			if want := (sdktrace.Status{Code: codes.Error, Description: fmt.Sprintf("panic: %v", value)}); span.Status() != want || errTypeOf(span) != "panic" {
				t.Errorf("status %+v, error.type %q", span.Status(), errTypeOf(span))
			}
			if got := c.measured("messaging.process.duration", attribute.String("error.type", "panic")); got != 1 {
				t.Errorf("%d measurements with error.type panic", got)
			}
		})
	}
}

// panic(nil) is a panic as well.
func TestProcessPanicsWithNil(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	func() {
		defer func() {
			if _, ok := recover().(*runtime.PanicNilError); !ok {
				t.Error("the panic is lost")
			}
		}()
		_ = consumer.Process(context.Background(), headed(), func(context.Context) error {
			panic(error(nil)) //nolint:govet // A panic that looks like none.
		})
	}()
	if got := errTypeOf(c.only("kafka.process")); got != "panic" {
		t.Errorf("error.type %q", got)
	}
}

// runtime.Goexit, which t.FailNow uses, ends the goroutine and the span.
func TestProcessGoexit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = consumer.Process(context.Background(), headed(), func(context.Context) error { runtime.Goexit(); return nil })
		t.Error("the goroutine goes on")
	}()
	<-done
	if span := c.only("kafka.process"); span.Status().Code != codes.Unset {
		t.Errorf("status %+v", span.Status())
	}
}

func TestProcessWithoutMessageOrHandler(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	handle := func(context.Context) error { t.Error("called"); return nil }
	for _, err := range []error{
		consumer.Process(context.Background(), nil, handle),
		consumer.Process(context.Background(), headed(), nil),
	} {
		if e, ok := err.(kafka.Error); !ok || e.Code() != kafka.ErrInvalidArg {
			t.Errorf("answered with %v", err)
		}
	}
	ctx, end := consumer.StartProcess(context.Background(), nil)
	end(nil)
	if ctx != context.Background() || len(c.spans.Started()) != 0 {
		t.Error("a nil message has a span")
	}
	ctx, end = consumer.StartProcess(nil, headed()) //nolint:staticcheck // A nil ctx counts as Background.
	end(nil)
	if !spanIn(ctx).Equal(c.only("kafka.process").SpanContext()) {
		t.Error("a nil ctx has no span")
	}
	if err := consumer.Process(context.Background(), &kafka.Message{}, func(context.Context) error { return nil }); err != nil {
		t.Errorf("a message without a topic: %v", err)
	}
}

func TestStartProcessEndsOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	ctx, end := consumer.StartProcess(context.Background(), headed())
	if len(c.ended("kafka.process")) != 0 || !trace.SpanFromContext(ctx).IsRecording() {
		t.Error("the span has ended")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { end(errors.New("declined")) })
	}
	wg.Wait()
	end(nil)
	if span := c.only("kafka.process"); span.Status().Description != "declined" {
		t.Errorf("status %+v", span.Status())
	}
	if got := c.measured("messaging.process.duration"); got != 1 {
		t.Errorf("measured %d times", got)
	}
}

func TestProcessContext(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed(traceparent(spanContext(1)), header("baggage", "user=7")))
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), ctxKey{}, "mine"), deadline)
	defer cancel()
	err := consumer.Process(ctx, msg, func(ctx context.Context) error {
		if d, ok := ctx.Deadline(); !ok || !d.Equal(deadline) || ctx.Value(ctxKey{}) != "mine" {
			t.Error("the rest of ctx is lost")
		}
		if got := baggage.FromContext(ctx).String(); got != "user=7" {
			t.Errorf("baggage %q", got)
		}
		_, inner := c.tp.Tracer("app").Start(ctx, "inner")
		inner.End()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if inner, process := c.only("inner"), c.only("kafka.process"); inner.Parent().SpanID() != process.SpanContext().SpanID() {
		t.Error("what the handler does is not within the process span")
	}
}

// What was received may be processed after Close.
func TestProcessAfterClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed())
	closeWithin(t, consumer)
	if err := consumer.Process(context.Background(), msg, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	assertLineage(t, c.only("kafka.process"), lineage{kind: trace.SpanKindConsumer, parent: c.only("kafka.receive").SpanContext()})
}

// An unsampled trace stays unsampled.
func TestProcessUnsampled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	called := false
	consumer, msg := c.receive(headed(traceparent(unsampled)), tracing.WithMessageAttributes(
		func(*kafka.Message) []attribute.KeyValue { called = true; return nil }))
	err := consumer.Process(context.Background(), msg, func(ctx context.Context) error {
		if sc := spanIn(ctx); sc.TraceID() != unsampled.TraceID() || sc.IsSampled() {
			t.Errorf("the handler continues %+v", sc)
		}
		return nil
	})
	if err != nil || len(c.spans.Started()) != 0 || called {
		t.Errorf("%v, %d spans, message attributes asked for: %v", err, len(c.spans.Started()), called)
	}
	if got := c.measured("messaging.process.duration"); got != 1 {
		t.Errorf("measured %d times", got)
	}
}
