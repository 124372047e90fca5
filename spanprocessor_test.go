package tracing_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// valve is what a span processor waits at, from when it is shut until it is opened.
type valve struct {
	shut    atomic.Bool
	waiting chan struct{} // receives one, when somebody waits
	opened  chan struct{}
}

func newValve() *valve {
	return &valve{waiting: make(chan struct{}, 1), opened: make(chan struct{})}
}

func (v *valve) pass() {
	if !v.shut.Load() {
		return
	}
	select {
	case v.waiting <- struct{}{}:
	default:
	}
	<-v.opened
}

// A span processor that takes its time, as one that exports synchronously, holds
// up reports but neither Produce nor the end.
func TestProducerWithABlockingSpanProcessor(t *testing.T) {
	t.Parallel()
	v := newValve()
	v.shut.Store(true)
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onEnd: v.pass}))
	topic := c.topic(1)
	p := c.producer(nil)
	const n = 200
	reports := make(chan kafka.Event, n)
	returns(t, "Produce", func() {
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
		if left := p.Flush(100); left != n {
			t.Errorf("Flush returned %d, want %d", left, n)
		}
	})
	// The first report is with the processor.
	eventually(t, "all messages are delivered", func() bool { return len(p.Producer.Events()) == n-1 })
	close(v.opened)
	offsets := map[kafka.Offset]bool{} // in any order: the client's Flush and its poller take turns
	for range n {
		offsets[report(t, reports).TopicPartition.Offset] = true
	}
	if len(offsets) != n {
		t.Errorf("%d different reports, not %d", len(offsets), n)
	}
}

// Flush keeps to its timeout also where the client's own hangs, with more reports than
// the channel between the two holds.
func TestProducerRule06FlushBesideABlockedSpanProcessor(t *testing.T) {
	t.Parallel()
	v := newValve()
	v.shut.Store(true)
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onEnd: v.pass}))
	topic := c.topic(1)
	p := c.producer(nil)
	const n = 3000
	reports := make(chan kafka.Event, n)
	for range n {
		produce(t, p, message(topic, "v"), reports)
	}
	eventually(t, "the channel is full", func() bool { return len(p.Producer.Events()) == cap(p.Producer.Events()) })
	returns(t, "Flush beside a blocked span processor", func() {
		for range 3 {
			if left := p.Flush(50); left == 0 {
				t.Error("Flush returned 0")
			}
		}
	})
	close(v.opened)
	for range n {
		nextReport(t, reports)
	}
}

// While one span is with its processor nothing is locked that another call needs.
func TestProducerRule04NothingIsLockedWhileASpanProcessorBlocks(t *testing.T) {
	t.Parallel()
	for name, onStart := range map[string]bool{"at the start": true, "at the end": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValve()
			first := func() {
				if v.shut.CompareAndSwap(true, false) {
					v.waiting <- struct{}{}
					<-v.opened
				}
			}
			hooks := spanHooks{onEnd: first}
			if onStart {
				hooks = spanHooks{onStart: first}
			}
			c := newCluster(t, sdktrace.WithSpanProcessor(hooks))
			topic := c.topic(1)
			p := c.producer(nil)
			v.shut.Store(true)
			const n = 100
			reports := make(chan kafka.Event, n+1)
			var calls sync.WaitGroup
			calls.Go(func() { produce(t, p, message(topic, "v"), reports) })
			receiveEvent(t, v.waiting)
			returns(t, "a call beside a blocked span processor", func() {
				for range n {
					produce(t, p, message(topic, "v"), reports)
				}
				p.ProduceChannel() <- message(topic, "v")
				if err := p.Produce(&kafka.Message{}, reports); codeOf(err) != kafka.ErrInvalidArg {
					t.Errorf("Produce: %v", err)
				}
				p.Len()
				p.Flush(10)
			})
			if onStart { // the forwarder is free
				eventually(t, "reports arrive", func() bool { return len(reports) == n })
			}
			close(v.opened)
			calls.Wait()
			for range n + 1 {
				nextReport(t, reports)
			}
			nextReport(t, p.Events())
		})
	}
}

// Close waits for the span processor, since every span has ended when it returns;
// other calls do not, and nothing is lost that was delivered.
func TestProducerRule07CloseWhileASpanProcessorBlocks(t *testing.T) {
	t.Parallel()
	const n = 200
	for name, test := range map[string]struct {
		onStart bool // the processor blocks there, else in OnEnd
		down    bool // the broker is
		before  int  // messages produced beforehand
		call    func(p *tracing.TracedProducer, topic string) error
		reports int // that are not lost
	}{
		"at the end of a delivered message": {before: n, reports: n},
		"at the end of an abandoned message": {
			down: true, before: n,
			// Close has to begin for these spans to end.
			call: func(p *tracing.TracedProducer, _ string) error { p.Close(); return nil },
		},
		"at the start": {onStart: true, call: func(p *tracing.TracedProducer, topic string) error {
			return p.Produce(message(topic, "v"), nil)
		}},
		"at the end of a refused message": {call: func(p *tracing.TracedProducer, _ string) error {
			if err := p.Produce(&kafka.Message{}, nil); codeOf(err) != kafka.ErrInvalidArg {
				return err
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValve()
			hooks := spanHooks{onEnd: v.pass}
			if test.onStart {
				hooks = spanHooks{onStart: v.pass}
			}
			c := newCluster(t, sdktrace.WithSpanProcessor(hooks))
			topic := c.topic(1)
			p := c.producer(nil)
			if test.down {
				c.brokerDown()
			}
			v.shut.Store(true)
			reports := make(chan kafka.Event, n)
			for range test.before {
				produce(t, p, message(topic, "v"), reports)
			}
			if !test.down {
				eventually(t, "all messages are delivered", func() bool { return len(p.Producer.Events()) == max(test.before-1, 0) })
			}
			var calls sync.WaitGroup
			if test.call != nil {
				calls.Go(func() {
					if err := test.call(p, topic); err != nil {
						t.Error(err)
					}
				})
			}
			receiveEvent(t, v.waiting)

			closed := make(chan struct{})
			calls.Go(func() { p.Close(); close(closed) })
			calls.Go(p.Close)
			eventually(t, "closing has begun", func() bool { return codeOf(p.InitTransactions(t.Context())) == kafka.ErrState })
			returns(t, "a call beside Close", func() {
				if err := p.Produce(message(topic, "v"), reports); code(t, err) != kafka.ErrState {
					t.Errorf("Produce: %v", err)
				}
				if left := p.Flush(20); left == 0 {
					t.Error("Flush returned 0 before the last report is passed on")
				}
			})
			if isClosed(closed) {
				t.Error("Close returned with a span open")
			}
			close(v.opened)
			returns(t, "Close", calls.Wait)
			if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
				t.Errorf("%d spans started, %d ended", started, ended)
			}
			if len(reports) != test.reports {
				t.Errorf("%d reports, want %d", len(reports), test.reports)
			}
		})
	}
}

// A poll that is in the span processor is out of the client, which Close need not wait
// for; the goroutine behind Events() is waited for.
func TestConsumerRule05CloseWhileASpanProcessorBlocks(t *testing.T) {
	t.Parallel()
	for way, receive := range waysToReceive {
		for name, onStart := range map[string]bool{"start": true, "end": false} {
			t.Run(way+" at the "+name, func(t *testing.T) {
				t.Parallel()
				v := newValve()
				hooks := spanHooks{onEnd: v.pass}
				if onStart {
					hooks = spanHooks{onStart: v.pass}
				}
				c := newCluster(t, sdktrace.WithSpanProcessor(hooks))
				v.shut.Store(true) // Events() begins with the consumer
				consumer := c.consumer(c.fillTopic("a"), kafka.ConfigMap{"go.events.channel.enable": way == "Events"})
				received, closed := make(chan kafka.Event, 1), make(chan error, 1)
				go func() { received <- receive(t, consumer) }()
				receiveEvent(t, v.waiting)
				go func() { closed <- consumer.Close() }()
				if way != "Events" {
					if err := receiveEvent(t, closed); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
				close(v.opened)
				if msg, ok := receiveEvent(t, received).(*kafka.Message); !ok || string(msg.Value) != "a" {
					t.Errorf("received %v", msg)
				}
				if way == "Events" {
					if err := receiveEvent(t, closed); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
			})
		}
	}
}
