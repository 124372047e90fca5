//go:build integration

package e2e

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// transformer consumes, transforms and produces, each message exactly once: what it produces and the offsets of what it
// has consumed become visible together, with the transaction that they are in.
type transformer struct {
	c      *tracing.TracedConsumer
	p      *tracing.TracedProducer
	output string
	// begin is called before a message is transformed, committing before a transaction is committed.
	begin      func(*kafka.Message)
	committing func()
	// abort says that a transaction is to be aborted instead of committed.
	abort func([]*kafka.Message) bool
}

// run returns nil when ctx ends. The caller has subscribed.
func (x *transformer) run(ctx context.Context) error {
	if err := insist(ctx, x.p.InitTransactions); err != nil {
		return err
	}
	for {
		msgs, err := x.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = x.transact(ctx, msgs)
		var kafkaError kafka.Error
		if errors.Is(err, errAborted) || (errors.As(err, &kafkaError) && kafkaError.TxnRequiresAbort()) {
			err = x.rewind(ctx, msgs)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read returns up to ten messages, each with a receive span of its own.
func (x *transformer) read(ctx context.Context) ([]*kafka.Message, error) {
	var msgs []*kafka.Message
	for len(msgs) < 10 && ctx.Err() == nil {
		msg, err := x.c.ReadMessage(50 * time.Millisecond)
		var kafkaError kafka.Error
		switch {
		case err == nil:
			msgs = append(msgs, msg)
		case errors.As(err, &kafkaError) && kafkaError.IsFatal():
			return nil, err
		case len(msgs) > 0:
			return msgs, nil
		}
	}
	return msgs, nil
}

var errAborted = errors.New("aborted")

func (x *transformer) transact(ctx context.Context, msgs []*kafka.Message) error {
	if err := x.p.BeginTransaction(); err != nil {
		return err
	}
	var offsets []kafka.TopicPartition
	for _, msg := range msgs {
		err := x.c.Process(ctx, msg, func(ctx context.Context) error {
			x.begin(msg)
			out := message(x.output, string(msg.Value))
			out.TopicPartition.Partition = msg.TopicPartition.Partition
			return x.p.ProduceContext(ctx, out, nil)
		})
		if err != nil {
			return err
		}
		tp := msg.TopicPartition
		tp.Offset++
		offsets = slices.DeleteFunc(offsets, func(o kafka.TopicPartition) bool { return o.Partition == tp.Partition })
		offsets = append(offsets, tp)
	}
	group, err := x.c.GetConsumerGroupMetadata()
	if err != nil {
		return err
	}
	err = insist(ctx, func(ctx context.Context) error { return x.p.SendOffsetsToTransaction(ctx, offsets, group) })
	if err != nil {
		return err
	}
	x.committing()
	if x.abort != nil && x.abort(msgs) {
		return errAborted
	}
	return insist(ctx, x.p.CommitTransaction)
}

// rewind aborts the transaction and goes back to where its messages begin. Not to kafka.OffsetBeginning where nothing has
// been committed: when the partition's first offset is still being looked up, librdkafka looks it up once more half a
// second later, and starts from there whatever it has been told since.
func (x *transformer) rewind(ctx context.Context, msgs []*kafka.Message) error {
	if err := insist(ctx, x.p.AbortTransaction); err != nil {
		return err
	}
	var first []kafka.TopicPartition
	for _, msg := range msgs {
		if !slices.ContainsFunc(first, func(tp kafka.TopicPartition) bool { return tp.Partition == msg.TopicPartition.Partition }) {
			first = append(first, msg.TopicPartition)
		}
	}
	_, err := x.c.SeekPartitions(first)
	return err
}

// insist repeats a call while the client says that this may help.
func insist(ctx context.Context, call func(context.Context) error) error {
	for {
		err := call(ctx)
		var kafkaError kafka.Error
		if ctx.Err() != nil || !errors.As(err, &kafkaError) || !kafkaError.IsRetriable() {
			return err
		}
	}
}

// drain reads the delivery reports that nobody waits for: the transaction's commit tells whether all is well.
func drain(events <-chan kafka.Event) {
	for range events { // Nothing to do with them.
	}
}

// transform is a worker that writes what it reads from Input to Output, exactly once.
func transform(ctx context.Context, conf workerConfig) (err error) {
	tp := sdktrace.NewTracerProvider()
	defer func() { _ = tp.Shutdown(context.Background()) }()
	otel.SetTracerProvider(tp)
	c, err := tracing.NewConsumer(conf.clientConfig(conf.Consumer))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	p, err := tracing.NewProducer(conf.clientConfig(conf.Producer), tracing.WithTransactionSpans())
	if err != nil {
		return err
	}
	defer p.Close()
	go drain(p.Events())
	if err := c.Subscribe(conf.Input, nil); err != nil {
		return err
	}
	x := &transformer{
		c: c, p: p, output: conf.Output,
		begin: func(msg *kafka.Message) {
			say("begin", msg)
			leave()
		},
		committing: func() {
			p.Flush(int(patience.Milliseconds())) // So that there is something to abort if this is the end.
			say("committing", message(conf.Output, ""))
			leave()
		},
	}
	return x.run(ctx)
}
