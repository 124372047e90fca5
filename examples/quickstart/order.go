package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

const numberKey = attribute.Key("order.number")

// order is what travels, as JSON.
type order struct {
	ID     string `json:"id"`
	Number int    `json:"number"`
	Card   string `json:"card"`
	Cents  int    `json:"cents"`
	Ship   bool   `json:"ship"`
}

// orderService takes orders and sends them on their way.
type orderService struct {
	producer *tracing.TracedProducer
	tracer   trace.Tracer
	topic    string
}

func newOrderService(at *cluster, telemetry *telemetry) (*orderService, error) {
	const name = "order-service"
	provider, err := telemetry.provider(name)
	if err != nil {
		return nil, err
	}
	producer, err := newProducer(at, name, provider)
	if err != nil {
		return nil, err
	}
	return &orderService{producer: producer, tracer: provider.Tracer("quickstart"), topic: at.orders}, nil
}

func (s *orderService) close() { s.producer.Close() }

// place stands for the handler of an HTTP request: the span of the message
// becomes a child of the request's.
func (s *orderService) place(ctx context.Context, o order) error {
	ctx, span := s.tracer.Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(numberKey.Int(o.Number)))
	defer span.End()
	work(300 * time.Microsecond)
	return fail(span, send(ctx, s.producer, s.topic, o))
}

// send produces an order and waits until the broker has it.
func send(ctx context.Context, producer *tracing.TracedProducer, topic string, o order) error {
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = producer.Send(ctx, &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Key:            []byte(o.ID),
		Value:          value,
	})
	return err
}

// orderBook knows which orders there are and which have come to their end.
type orderBook struct {
	all []order

	mu   sync.Mutex
	open map[string]bool
	done chan struct{} // closed when none is open
}

// newOrders returns n orders, alternating between the three cases.
func newOrders(n int) *orderBook {
	book := &orderBook{open: make(map[string]bool, n), done: make(chan struct{})}
	// Unique, as an existing broker may have orders left from a run that was
	// interrupted. They are processed like any other, but not waited for.
	run := time.Now().Format("20060102-150405.000")
	for i := range n {
		o := order{ID: fmt.Sprintf("%s-%d", run, i+1), Number: i + 1, Card: "valid", Cents: 1999 + 500*(i%7)}
		switch i % 3 {
		case 1:
			o.Card = "expired"
		case 2:
			o.Ship = true
		}
		book.all = append(book.all, o)
		book.open[o.ID] = true
	}
	return book
}

// settle notes that nothing more will happen to an order.
func (b *orderBook) settle(o order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open[o.ID] {
		return
	}
	delete(b.open, o.ID)
	if len(b.open) == 0 {
		close(b.done)
	}
}

func (b *orderBook) settledCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all) - len(b.open)
}

// wait returns when all orders are settled, ctx has ended, or nothing has
// happened for a while. A long run says now and then how far it is.
func (b *orderBook) wait(ctx context.Context, w io.Writer) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, since := -1, time.Now()
	began, next := since, 2*time.Second
	for {
		select {
		case <-b.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("interrupted after %d of %d orders", b.settledCount(), len(b.all))
		case now := <-tick.C:
			n := b.settledCount()
			if n != last {
				last, since = n, now
			} else if now.Sub(since) > stallTimeout {
				return fmt.Errorf("only %d of %d orders arrived, none in the last %s: does another consumer read their topics in the same group?", n, len(b.all), stallTimeout)
			}
			if now.Sub(began) >= next {
				next *= 2
				fmt.Fprintf(w, "… %d of %d orders\n", n, len(b.all))
			}
		}
	}
}
