package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// arguments makes an argument of every type that a method or a function takes. Of a
// function it makes one that returns zero values.
type arguments map[reflect.Type]func() any

func (args arguments) of(parameter reflect.Type) reflect.Value {
	if f, ok := args[parameter]; ok {
		return reflect.ValueOf(f())
	}
	if parameter.Kind() != reflect.Func {
		panic(fmt.Sprintf("no argument of type %v: add one", parameter))
	}
	return reflect.MakeFunc(parameter, func([]reflect.Value) []reflect.Value {
		results := make([]reflect.Value, parameter.NumOut())
		for i := range results {
			results[i] = reflect.Zero(parameter.Out(i))
		}
		return results
	})
}

// call calls f with arguments, and with more as those that may be left out.
func (args arguments) call(f reflect.Value, more ...reflect.Value) []reflect.Value {
	n := f.Type().NumIn()
	if f.Type().IsVariadic() {
		n--
	}
	in := make([]reflect.Value, n)
	for i := range in {
		in[i] = args.of(f.Type().In(i))
	}
	if f.Type().IsVariadic() && len(more) == 0 {
		if one, ok := args[f.Type().In(n).Elem()]; ok {
			more = []reflect.Value{reflect.ValueOf(one())}
		}
	}
	return f.Call(append(in, more...))
}

// newArguments makes arguments for calls about topic that are soon over: a call may
// hold up Close for as long as its own timeout.
func newArguments(t *testing.T, topic string) arguments {
	t.Helper()
	soon := 20 * time.Millisecond
	reports := make(chan kafka.Event, 100_000)
	var turn atomic.Int64
	partitions := func() []kafka.TopicPartition { return []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 1}} }
	args := arguments{
		reflect.TypeFor[int]():                    func() any { return int(soon.Milliseconds()) },
		reflect.TypeFor[int32]():                  func() any { return int32(0) },
		reflect.TypeFor[time.Duration]():          func() any { return soon },
		reflect.TypeFor[string]():                 func() any { return topic },
		reflect.TypeFor[*string]():                func() any { return &topic },
		reflect.TypeFor[bool]():                   func() any { return false },
		reflect.TypeFor[kafka.OAuthBearerToken](): func() any { return kafka.OAuthBearerToken{} },
		reflect.TypeFor[[]string]():               func() any { return []string{topic} },
		reflect.TypeFor[*kafka.Message]():         func() any { return message(topic, "v") },
		reflect.TypeFor[[]*kafka.Message]():       func() any { return []*kafka.Message{message(topic, "v"), message(topic, "v")} },
		reflect.TypeFor[[]kafka.TopicPartition](): func() any { return partitions() },
		reflect.TypeFor[chan kafka.Event](): func() any {
			return []chan kafka.Event{reports, nil}[turn.Add(1)%2]
		},
		reflect.TypeFor[context.Context](): func() any {
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			context.AfterFunc(ctx, cancel)
			return ctx
		},
		reflect.TypeFor[*kafka.ConsumerGroupMetadata](): func() any {
			metadata, err := kafka.NewTestConsumerGroupMetadata("billing")
			if err != nil {
				t.Error(err)
			}
			return metadata
		},
	}
	return args
}

// callEverything calls every method that client has of this package, but those
// excepted, from two goroutines each, until it is closed and once more; and Close
// from two beside them, once each of the methods has returned a few times.
func callEverything(t *testing.T, client any, args arguments, except ...string) {
	t.Helper()
	var (
		calls, warm sync.WaitGroup
		closed      = make(chan struct{})
		value       = reflect.ValueOf(client)
	)
	for _, name := range methods(value.Type()) {
		method, _ := value.Type().MethodByName(name)
		if name == "Close" || !own(method) || slices.Contains(except, name) {
			continue
		}
		for range 2 {
			warm.Add(1)
			calls.Go(func() {
				for n, last := 1, false; !last; n++ {
					last = isClosed(closed)
					settle(t, name, args.call(value.MethodByName(name)))
					if n == 5 {
						warm.Done()
					}
					runtime.Gosched()
				}
			})
		}
	}
	returns(t, "some method", warm.Wait)
	for range 2 {
		calls.Go(func() { settle(t, "Close", value.MethodByName("Close").Call(nil)) })
	}
	eventually(t, "closed", value.Interface().(interface{ IsClosed() bool }).IsClosed)
	close(closed)
	returns(t, "some method beside Close", calls.Wait)
}

// documented are the errors that a call may return while its client is used wildly,
// or closed.
var documented = []kafka.ErrorCode{
	kafka.ErrState,      // closed; a transaction call out of turn
	kafka.ErrInvalidArg, // Consume of a consumer with a channel
	kafka.ErrDestroy,    // the report will not come
	kafka.ErrQueueFull,  // Produce
	kafka.ErrPurgeQueue, kafka.ErrPurgeInflight,
	kafka.ErrConflict,      // another Consume is running, or another call of the transaction's
	kafka.ErrNotConfigured, // not a transactional producer
	kafka.ErrTimedOut,      // nothing to read, or the transaction takes longer
	kafka.ErrInProgress, kafka.ErrPrevInProgress,
	kafka.ErrNoOffset,                           // a commit of nothing
	kafka.ErrTransport, kafka.ErrAllBrokersDown, // a query while the client connects
}

// settle calls what a call returned to be called, such as the end of a span, and
// asserts its error.
func settle(t *testing.T, method string, results []reflect.Value) {
	t.Helper()
	for _, result := range results {
		if result.Kind() == reflect.Func {
			result.Call([]reflect.Value{reflect.Zero(result.Type().In(0))})
		}
		err, ok := result.Interface().(error)
		if !ok || errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		var e kafka.Error
		if !errors.As(err, &e) || !slices.Contains(documented, e.Code()) {
			t.Errorf("%s: %#v", method, err)
		}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// Any method beside any other, and Close beside them all: no race, no crash, no hang,
// and every span ends.
func TestProducerRule13EverythingConcurrently(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conf kafka.ConfigMap
		opts []tracing.Option
	}{
		"traced":        {opts: []tracing.Option{tracing.WithTransactionSpans()}},
		"off":           {opts: off},
		"transactional": {conf: kafka.ConfigMap{"transactional.id": "till-1"}, opts: []tracing.Option{tracing.WithTransactionSpans()}},
		"statistics":    {conf: kafka.ConfigMap{"statistics.interval.ms": 1}, opts: []tracing.Option{tracing.WithStatisticsMetrics()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			for range 5 {
				conf := kafka.ConfigMap{"go.events.channel.size": 100_000, "queue.buffering.max.messages": 1000}
				for k, v := range test.conf {
					conf[k] = v
				}
				p, err := tracing.NewProducer(c.producerConfig(conf), c.options(test.opts...)...)
				if err != nil {
					t.Fatal(err)
				}
				callEverything(t, p, newArguments(t, topic))
				if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
					t.Errorf("%d spans started, %d ended", started, ended)
				}
				c.spans.Reset()
			}
		})
	}
}

// The same of a consumer, but for Subscribe, which the client itself does not lock. The
// methods that are passed through are as safe as the client's, which is not safe
// while it closes.
func TestConsumerRule05EverythingConcurrently(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conf kafka.ConfigMap
		opts []tracing.Option
	}{
		"traced":          {},
		"off":             {opts: off},
		"until next poll": {opts: []tracing.Option{tracing.WithProcessSpanUntilNextPoll()}},
		"statistics":      {conf: kafka.ConfigMap{"statistics.interval.ms": 1}, opts: []tracing.Option{tracing.WithStatisticsMetrics()}},
		"events":          {conf: kafka.ConfigMap{"go.events.channel.enable": true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			values := make([]string, 1000)
			topic := c.fillTopic(values...)
			for range 5 {
				conf := kafka.ConfigMap{"enable.auto.offset.store": false}
				for k, v := range test.conf {
					conf[k] = v
				}
				consumer, err := tracing.NewConsumer(c.consumerConfig(conf), c.options(test.opts...)...)
				if err != nil {
					t.Fatal(err)
				}
				if err := consumer.Assign([]kafka.TopicPartition{{Topic: &topic}}); err != nil {
					t.Fatal(err)
				}
				callEverything(t, consumer, newArguments(t, topic), "Subscribe", "SubscribeTopics")
				if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
					t.Errorf("%d spans started, %d ended", started, ended)
				}
				c.spans.Reset()
			}
		})
	}
}
