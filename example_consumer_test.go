package tracing_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

func ExampleNewConsumer() {
	// kafka.NewConsumer before; nothing else changes.
	c, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": "localhost:9092",
		"group.id":          "billing",
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }()

	if err := c.Subscribe("orders", nil); err != nil {
		panic(err)
	}
	msg, err := c.ReadMessage(10 * time.Second)
	if err != nil {
		panic(err)
	}
	slog.InfoContext(tracing.ContextFromMessage(context.Background(), msg), "order received")
}

func ExampleTracedConsumer_Consume() {
	c, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":        "localhost:9092",
		"group.id":                 "billing",
		"enable.auto.offset.store": false, // Consume stores what has been handled
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }() // commits what is stored
	if err := c.Subscribe("orders", nil); err != nil {
		panic(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err = c.Consume(ctx, func(ctx context.Context, msg *kafka.Message) error {
		return charge(ctx, msg.Value) // spans that start here are part of the message's trace
	})
	if err != nil {
		panic(err)
	}
}

func charge(context.Context, []byte) error { return nil }

func ExampleTracedConsumer_ConsumeBatch() {
	ctx := context.Background()
	var c *tracing.TracedConsumer // see Consume

	// Up to 500 messages, or what has come within a second of the first.
	err := c.ConsumeBatch(ctx, 500, time.Second, func(ctx context.Context, msgs []*kafka.Message) error {
		// One span, which links to the trace of each message.
		slog.InfoContext(ctx, "orders received", "messages", len(msgs))
		return insert(ctx, msgs)
	})
	if err != nil {
		panic(err)
	}
}

func insert(context.Context, []*kafka.Message) error { return nil }

func ExampleTracedConsumer_ReadBatch() {
	ctx := context.Background()
	var c *tracing.TracedConsumer // made by NewConsumer, subscribed

	for {
		msgs, err := c.ReadBatch(ctx, 500, time.Second)
		if len(msgs) > 0 { // also those that came before a fatal error
			failure := c.ProcessBatch(ctx, msgs, func(ctx context.Context) error { return insert(ctx, msgs) })
			err = errors.Join(err, failure)
		}
		if err != nil {
			break // ctx has ended, the consumer is closed, or something failed
		}
	}
}

func ExampleTracedConsumer_Process() {
	ctx := context.Background()
	var c *tracing.TracedConsumer // made by NewConsumer, subscribed

	// The loop that you have, with a span around its handler.
	for ctx.Err() == nil {
		msg, err := c.ReadMessage(time.Second)
		var kafkaErr kafka.Error
		if errors.As(err, &kafkaErr) && (kafkaErr.IsFatal() || kafkaErr.Code() == kafka.ErrState) {
			break // ErrState: it is closed
		}
		if err != nil {
			continue // a timeout, or what the client recovers from
		}
		err = c.Process(ctx, msg, func(ctx context.Context) error {
			return charge(ctx, msg.Value)
		})
		if err != nil {
			slog.ErrorContext(ctx, "order not charged", "error", err)
		}
	}
}

func ExampleTracedConsumer_StartProcess() {
	var c *tracing.TracedConsumer // made by NewConsumer

	// Where no function surrounds the work: it begins here and ends elsewhere.
	begin := func(ctx context.Context, msg *kafka.Message, jobs chan<- func()) {
		ctx, end := c.StartProcess(ctx, msg)
		jobs <- func() { end(charge(ctx, msg.Value)) }
	}
	_ = begin
}

func ExampleWithErrorHandler() {
	ctx := context.Background()
	var p *tracing.TracedProducer // made by NewProducer
	var c *tracing.TracedConsumer // see Consume

	handle := func(ctx context.Context, msg *kafka.Message) error { return charge(ctx, msg.Value) }
	putAside := func(ctx context.Context, msg *kafka.Message, failure error) error {
		if errors.Is(failure, context.DeadlineExceeded) {
			return failure // the loop ends, and the message will come again
		}
		deadLetters := "orders.dead-letters"
		_, err := p.Send(ctx, &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &deadLetters, Partition: kafka.PartitionAny},
			Key:            msg.Key,
			Value:          msg.Value,
			Headers:        []kafka.Header{{Key: "error", Value: []byte(failure.Error())}},
		})
		return err // nil: the message counts as handled, and the loop goes on
	}
	if err := c.Consume(ctx, handle, tracing.WithErrorHandler(putAside)); err != nil {
		panic(err)
	}
}
