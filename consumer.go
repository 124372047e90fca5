package tracing

import (
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

var (
	_ kafka.Handle = (*TracedConsumer)(nil)
	_ Consumer     = (*TracedConsumer)(nil)
	_ Consumer     = (*kafka.Consumer)(nil)
)

// TracedConsumer is a [kafka.Consumer] that traces every message it receives. It
// behaves as the consumer it embeds, but that every message handed to the
// application has a receive span, whose context is in the message's Opaque, for
// [ContextFromMessage] and [TracedConsumer.Process]. Headers are handed over as
// they were on the wire.
//
// Poll, ReadMessage, Events, Commit and Close are safe for concurrent use with
// each other; the other methods are as safe as the client's. Rebalance callbacks get
// the embedded consumer, which is the type that the client gives them.
//
// Make one with [NewConsumer] or [WrapConsumer].
type TracedConsumer struct {
	*kafka.Consumer

	*instrumentation
	receive      *operation
	process      *operation
	receiveBatch *operation
	processBatch *operation
	committing   *operation

	events     chan kafka.Event // what the application sees as Events(); may be nil
	rebalanced atomic.Uint64    // calls of the rebalance callback
	callbacks  atomic.Int32     // rebalance callbacks under way
	consuming  atomic.Bool      // a Consume or ConsumeBatch is running
	open       openProcess      // with WithProcessSpanUntilNextPoll
	stats      *statistics

	gate    *gate
	closing chan struct{} // closed once closing has begun
	done    chan struct{} // closed once nothing of ours runs any more
}

// NewConsumer makes a consumer as [kafka.NewConsumer] does, and traces it. The
// errors are those of kafka.NewConsumer, and kafka.ErrInvalidArg for what would
// make it panic (a nil conf, a negative channel size). conf is not changed.
//
// Consumer group, client id and server address are read from conf.
func NewConsumer(conf *kafka.ConfigMap, opts ...Option) (*TracedConsumer, error) {
	own, err := cloneConfig(conf)
	if err != nil {
		return nil, err
	}
	c := newConfig(own, opts)
	c.setStatisticsInterval(own)
	events := 0
	if !c.disabled {
		// The client's channel only hands over to ours, which has the size
		// that was asked for: nothing waits, or grows stale, in two places.
		events = replaceSize(own, "go.events.channel.size", 0, 1000)
	}
	consumer, err := kafka.NewConsumer(&own)
	if err != nil {
		return nil, err
	}
	return newConsumer(consumer, c, events), nil
}

// WrapConsumer traces a consumer that exists. From then on it belongs to the
// wrapper: poll, read Events() and close through the wrapper only, and wrap it
// once. c must not be nil.
//
// What c cannot tell is given by [WithConsumerGroup], [WithClientID] and
// [WithServerAddress]. That enable.auto.offset.store is off, as Consume needs it,
// it cannot tell either.
func WrapConsumer(c *kafka.Consumer, opts ...Option) *TracedConsumer {
	if c == nil {
		panic("tracing: WrapConsumer: nil consumer")
	}
	return newConsumer(c, newConfig(nil, opts), cap(c.Events()))
}

func newConsumer(consumer *kafka.Consumer, c *config, events int) *TracedConsumer {
	if c.clientID == "" {
		c.clientID = consumer.String()
	}
	t := &TracedConsumer{
		Consumer:        consumer,
		instrumentation: newInstrumentation(c),
		gate:            newGate(),
		closing:         make(chan struct{}),
		done:            make(chan struct{}),
	}
	t.receive = t.newOperation(OperationReceive)
	t.process = t.newOperation(OperationProcess)
	t.receiveBatch = t.newBatchOperation(OperationReceive)
	t.processBatch = t.newBatchOperation(OperationProcess)
	t.committing = t.newOperation(OperationCommit)
	t.stats = newStatistics(c, consumer, clientstats.Consumer)
	if c.disabled || consumer.Events() == nil {
		t.events = consumer.Events()
		close(t.done)
		return t
	}
	t.events = make(chan kafka.Event, events)
	go t.forwardEvents()
	return t
}

// Subscribe subscribes to a topic; see [kafka.Consumer.Subscribe].
func (c *TracedConsumer) Subscribe(topic string, rebalanceCb kafka.RebalanceCb) error {
	return c.SubscribeTopics([]string{topic}, rebalanceCb)
}

// SubscribeTopics subscribes to topics; see [kafka.Consumer.SubscribeTopics]. The
// callback gets the embedded consumer.
func (c *TracedConsumer) SubscribeTopics(topics []string, rebalanceCb kafka.RebalanceCb) error {
	if !c.gate.enter() {
		return errClosed()
	}
	defer c.gate.leave()
	if rebalanceCb == nil && c.Consumer.Events() != nil {
		// A callback would keep rebalance events off the channel.
		return c.Consumer.SubscribeTopics(topics, nil)
	}
	return c.Consumer.SubscribeTopics(topics, func(consumer *kafka.Consumer, event kafka.Event) error {
		// The client's Poll returns after a rebalance. Ours must know of it,
		// since it would go on waiting otherwise.
		c.rebalanced.Add(1)
		if rebalanceCb == nil {
			return nil // the client assigns, as it does without a callback
		}
		c.callbacks.Add(1)
		defer c.callbacks.Add(-1)
		return rebalanceCb(consumer, event)
	})
}

// Close leaves the group and closes the consumer, as the client does, and ends
// what waits in Poll, ReadMessage or Events(). A Consume ends with the message in
// hand, for which Close does not wait: its offset is no longer stored, so the group
// handles that message again. To stop without that, end the ctx of Consume, wait
// for it, and then close. A second call returns the client's error, kafka.ErrState.
// It must not be called from a rebalance callback.
func (c *TracedConsumer) Close() error {
	if !c.gate.close() {
		if !c.Consumer.IsClosed() {
			// The first call still waits for others to leave the client.
			return kafka.NewError(kafka.ErrState, "Consumer is already closing", false)
		}
		return c.Consumer.Close()
	}
	close(c.closing)
	<-c.gate.drained
	c.handled()
	// Nothing of ours is held here: this calls the application's revocation
	// callback, which may commit.
	err := c.Consumer.Close()
	<-c.done
	c.stats.close()
	return err
}
