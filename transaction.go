package tracing

import (
	"context"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// WithTransactionSpans makes a span of every InitTransactions,
// SendOffsetsToTransaction, CommitTransaction and AbortTransaction, in the
// context that the call is given. Default: none. BeginTransaction is local to the
// client and has none. A producer that has been fenced refuses messages with
// kafka.ErrFatal; GetFatalError says why.
func WithTransactionSpans() Option {
	return optionFunc(func(c *config) { c.transactionSpans = true })
}

// InitTransactions prepares the producer for transactions; see
// [kafka.Producer.InitTransactions].
func (p *TracedProducer) InitTransactions(ctx context.Context) error {
	return p.transact(ctx, OperationInitTransactions, p.Producer.InitTransactions)
}

// SendOffsetsToTransaction makes consumed offsets part of the transaction; see
// [kafka.Producer.SendOffsetsToTransaction]. A nil consumerMetadata is answered
// with kafka.ErrInvalidArg.
func (p *TracedProducer) SendOffsetsToTransaction(ctx context.Context, offsets []kafka.TopicPartition, consumerMetadata *kafka.ConsumerGroupMetadata) error {
	return p.transact(ctx, OperationSendOffsets, func(ctx context.Context) error {
		if consumerMetadata == nil {
			return invalidConfig("SendOffsetsToTransaction needs the consumer's group metadata")
		}
		return p.Producer.SendOffsetsToTransaction(ctx, offsets, consumerMetadata)
	})
}

// CommitTransaction commits the transaction; see
// [kafka.Producer.CommitTransaction].
func (p *TracedProducer) CommitTransaction(ctx context.Context) error {
	return p.transact(ctx, OperationCommitTransaction, p.Producer.CommitTransaction)
}

// AbortTransaction aborts the transaction; see [kafka.Producer.AbortTransaction].
// The spans of messages that it takes back end with their reports, with
// error.type _PURGE_QUEUE or _PURGE_INFLIGHT.
func (p *TracedProducer) AbortTransaction(ctx context.Context) error {
	return p.transact(ctx, OperationAbortTransaction, p.Producer.AbortTransaction)
}

// transact calls the client, and makes a span of it if asked to. The client is
// given the caller's ctx, nil included: nil means something to it. Close waits for
// the call, which its ctx bounds: the client would not survive the alternative.
func (p *TracedProducer) transact(ctx context.Context, op Operation, call func(context.Context) error) error {
	if !p.gate.enter() {
		return errClosed()
	}
	defer p.gate.leave()
	if !p.transactionSpans {
		return call(ctx)
	}
	parent := ctx
	if parent == nil {
		parent = context.Background()
	}
	_, span := p.transactions[op].target("", unknownPartition).startSpan(parent)
	defer span.End()
	p.describeClient(span)
	err := call(ctx)
	setError(span, err)
	return err
}
