package tracing

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// channelProducer is the goroutine behind ProduceChannel. It exists once the
// application has asked for the channel.
type channelProducer struct {
	size     int
	mu       sync.Mutex
	ch       chan *kafka.Message
	outcomes outcomes      // of what is handed to the client's batch producer
	idle     chan struct{} // the goroutine sends here while it has no message in hand
	done     chan struct{}
	stopped  bool
	busy     atomic.Bool // it has a message in hand
}

// ProduceChannel returns the channel through which messages may be produced
// instead of with Produce. It is the same channel at every call, and closed by
// Close. A full local queue is waited out. Delivery reports go to Events(); a
// message that the client refuses comes back there as a copy with the error.
//
// With go.batch.producer the client drops headers and Opaque: the message
// carries no context, and its publish span ends when it is handed over; one that
// the local queue then refuses is lost without a report, as with the client. Close
// then waits for the local queue to take what is in the channel: without a broker,
// as the client's does, it may hang.
//
// Deprecated: as the client's own, in favour of Produce.
func (p *TracedProducer) ProduceChannel() chan *kafka.Message {
	if p.disabled {
		return p.Producer.ProduceChannel()
	}
	c := &p.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan *kafka.Message, c.size)
		c.idle = make(chan struct{})
		c.done = make(chan struct{})
		if c.stopped {
			close(c.ch)
			close(c.done)
		} else {
			go c.run(p)
		}
	}
	return c.ch
}

// stop closes the channel and waits until what it holds has been handed to the
// client, or refused by it. The local queue is not waited for, but by the client's
// batch producer.
func (c *channelProducer) stop() {
	c.mu.Lock()
	if c.ch != nil && !c.stopped {
		closeOnce(c.ch)
	}
	c.stopped = true
	done := c.done
	c.mu.Unlock()
	if done != nil {
		<-done
	}
}

// closeOnce closes a channel that the application may have closed already, on which
// the client's Close panics.
func closeOnce(ch chan *kafka.Message) {
	defer func() { _ = recover() }()
	close(ch)
}

// len counts the messages in the channel, and the one that the goroutine has
// taken out and may not have produced yet: 0 means that all are produced.
func (c *channelProducer) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil || c.stopped {
		return 0
	}
	for {
		if n := len(c.ch); n > 0 {
			return n
		}
		select {
		case <-c.idle:
			return 0
		case <-c.done: // the application has closed the channel
			return 0
		default:
		}
		if c.busy.Load() {
			return 1
		}
		runtime.Gosched() // it is between the two
	}
}

func (c *channelProducer) run(p *TracedProducer) {
	defer close(c.done)
	// Neither goes through the gate: Close waits for what is in the channel, as the
	// client does.
	send := func(msg *kafka.Message) error { return p.enqueueInside(context.Background(), msg, nil, nil) }
	if p.batchProducer {
		send = p.handOver
	}
	for {
		select {
		case msg, ok := <-c.ch:
			if !ok {
				return
			}
			c.busy.Store(true)
			if err := send(msg); err != nil {
				p.giveBack(msg, err)
			}
			c.busy.Store(false)
		case c.idle <- struct{}{}:
		}
	}
}

func isQueueFull(err error) bool {
	return hasCode(err, kafka.ErrQueueFull)
}

// handOver gives a message to the client's batch producer. The client keeps
// neither headers nor Opaque there, so there is nothing to carry a context and
// nothing by which to know the report: the span tells of the hand-over only.
func (p *TracedProducer) handOver(msg *kafka.Message) error {
	// The batch producer panics on these.
	if msg == nil || topicOf(msg) == "" {
		return kafka.NewError(kafka.ErrInvalidArg, "", false)
	}
	if len(topicOf(msg)) > maxTopicLength {
		return errLongTopic()
	}
	pub := p.begin(context.Background(), msg, nil)
	handed := *msg // the client writes the error of a refusal into it
	if err := p.sendToBatch(&handed); err != nil {
		p.refuse(pub, err)
		return err
	}
	tp := kafka.TopicPartition{Partition: msg.TopicPartition.Partition, Offset: kafka.OffsetInvalid}
	p.channel.outcomes.end(pub.env, tp)
	p.channel.outcomes.flush()
	pub.out.release()
	p.envelopes.put(pub.env)
	return nil
}

// sendToBatch waits for room in the client's channel, also while closing, as the
// client would.
func (p *TracedProducer) sendToBatch(msg *kafka.Message) (err error) {
	defer func() {
		// The application has closed the embedded client, and with it the channel.
		if recover() != nil {
			err = errClosed()
		}
	}()
	p.Producer.ProduceChannel() <- msg
	return nil
}

// giveBack puts a copy of a refused message on Events(), as the client does with
// the caller's message, which is not ours to write to.
func (p *TracedProducer) giveBack(msg *kafka.Message, err error) {
	refused := new(kafka.Message)
	if msg != nil {
		*refused = *msg
	}
	refused.TopicPartition.Error = err
	offer(p.events, refused, p.closing, p.Producer.IsClosed)
}
