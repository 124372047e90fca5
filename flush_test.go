package tracing_test

import (
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// An application that has flushed may close its delivery channel right away: a
// report that came later would end the process.
func TestProducerRule06FlushedMeansForwarded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(2)
	p := c.producer(nil)
	for round := range 300 {
		reports := make(chan kafka.Event, round%3)
		got := collect(reports)
		n := 1 + round%50
		for i := range n {
			msg := message(topic, "v")
			msg.TopicPartition.Partition = int32(i % 2)
			produce(t, p, msg, reports)
		}
		if left := p.Flush(int(patience.Milliseconds())); left != 0 {
			t.Fatalf("round %d: Flush returned %d", round, left)
		}
		if left := p.Len(); left != 0 {
			t.Fatalf("round %d: Len is %d after Flush", round, left)
		}
		close(reports)
		<-got.done
		if len(got.reports()) != n {
			t.Fatalf("round %d: %d reports of %d messages", round, len(got.reports()), n)
		}
	}
}

// The same while other goroutines flush and produce.
func TestProducerRule06FlushedMeansForwardedToEveryCaller(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				reports := make(chan kafka.Event, 20)
				for range 20 {
					if err := p.Produce(message(topic, "v"), reports); err != nil {
						t.Error(err)
					}
				}
				if left := p.Flush(int(patience.Milliseconds())); left != 0 {
					t.Errorf("Flush returned %d", left)
				}
				if len(reports) != 20 {
					t.Errorf("%d reports of 20", len(reports))
				}
				close(reports)
			}
		})
	}
	all.Wait()
}

// The raw Flush hangs for ever there.
func TestProducerRule06FlushOfFullChannels(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]chan kafka.Event{"Events()": nil, "own channel": make(chan kafka.Event)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(kafka.ConfigMap{"go.events.channel.size": 10})
			const n = 5000 // more than all channels between the client and the application hold
			for i := range n {
				msg := message(topic, "v")
				msg.Opaque = i
				produce(t, p, msg, own)
			}
			returns(t, "Flush of a full channel", func() {
				for range 3 {
					if left := p.Flush(300); left != n {
						t.Errorf("Flush returned %d, want %d: all are unread", left, n)
					}
				}
			})
			// Every one of them is still there.
			from := own
			if from == nil {
				from = p.Events()
			}
			seen := map[any]bool{}
			for range n {
				seen[nextReport(t, from).Opaque] = true
			}
			if len(seen) != n {
				t.Errorf("%d different reports, want %d", len(seen), n)
			}
			if left := p.Flush(int(patience.Milliseconds())); left != 0 {
				t.Errorf("Flush returned %d when everything was read", left)
			}
		})
	}
}

func TestProducerRule06FlushKeepsToItsTimeout(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	c.brokerDown()
	produce(t, p, message(topic, "v"), nil)
	for _, timeout := range []int{-1, 0, 1, 250} {
		start := time.Now()
		if left := p.Flush(timeout); left == 0 {
			t.Errorf("Flush(%d) returned 0, with a message to come", timeout)
		}
		// Like the client's own it gives up within the last millisecond. The
		// slack is for a busy machine.
		if took := time.Since(start); took < time.Duration(timeout-2)*time.Millisecond || took > time.Duration(timeout)*time.Millisecond+2*time.Second {
			t.Errorf("Flush(%d) took %v", timeout, took)
		}
	}
}

// Len counts a message from Produce until its report is read from Events() or
// forwarded to its own channel.
func TestProducerRule06LenHasNoGaps(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	if n := p.Len(); n != 0 {
		t.Errorf("Len is %d before the first message", n)
	}
	var watching sync.WaitGroup
	for range 200 {
		reports := make(chan kafka.Event)
		stop := make(chan struct{})
		produce(t, p, message(topic, "v"), reports)
		watching.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if p.Len() < 1 {
						select {
						case <-stop: // it was taken in between
						default:
							t.Error("Len is 0 while a report waits to be taken")
						}
						return
					}
				}
			}
		})
		eventually(t, "the span ends", func() bool { return len(c.ended("kafka.publish")) > 0 })
		close(stop)
		watching.Wait()
		report(t, reports)
		c.spans.Reset()
	}
	eventually(t, "Len is 0", func() bool { return p.Len() == 0 })
	produce(t, p, message(topic, "v"), nil)
	eventually(t, "the report is in Events()", func() bool { return len(p.Events()) == 1 })
	eventually(t, "Len counts the unread report", func() bool { return p.Len() == 1 })
	report(t, p.Events())
	eventually(t, "Len is 0", func() bool { return p.Len() == 0 })
}

// What is in the channel, in the hand of its goroutine or in flight is counted.
func TestProducerRule06FlushCoversProduceChannel(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	events := collect(p.Events())
	total := 0
	for range 200 {
		for range 1 + total%3 {
			p.ProduceChannel() <- message(topic, "v")
			total++
		}
		if left := p.Flush(int(patience.Milliseconds())); left != 0 {
			t.Fatalf("Flush returned %d", left)
		}
		if n := len(c.ended("kafka.publish")); n != total {
			t.Fatalf("%d of %d messages delivered when Flush had returned 0", n, total)
		}
	}
	p.Close()
	<-events.done
	if n := len(events.reports()); n != total {
		t.Errorf("%d reports of %d messages", n, total)
	}
}

// Flush returns when Close begins, and what it returns is true then as well: after
// a 0 the application's channel is safe to close.
func TestProducerRule06FlushWhileClosing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	for range 15 {
		p, err := tracing.NewProducer(c.producerConfig(nil), c.options()...)
		if err != nil {
			t.Fatal(err)
		}
		const n = 500
		reports := make(chan kafka.Event, n)
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
		var closing sync.WaitGroup
		closing.Go(p.Close)
		left := 1
		returns(t, "Flush while Close is called", func() {
			for range 1000 { // 0 is not promised until Close has returned
				if left = p.Flush(10_000); left == 0 {
					break
				}
			}
		})
		if left != 0 {
			t.Error("Flush did not return 0 after Close")
		}
		close(reports)
		closing.Wait()
	}
}
