package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

const amountKey = attribute.Key("amount")

// declinedError is why an order is not paid. Its ErrorType is what dashboards
// count by: error.type on the spans, and on the metric of processing times.
type declinedError struct{ reason string }

func (e declinedError) Error() string     { return "card declined: " + e.reason }
func (e declinedError) ErrorType() string { return "card_declined" }

// billingService charges for orders and forwards those that are to be shipped.
type billingService struct {
	*worker
	producer  *tracing.TracedProducer
	tracer    trace.Tracer
	shipments string
	orders    *orderBook
}

func newBillingService(at *cluster, telemetry *telemetry, orders *orderBook) (*billingService, error) {
	const name = "billing-service"
	provider, err := telemetry.provider(name)
	if err != nil {
		return nil, err
	}
	producer, err := newProducer(at, name, provider)
	if err != nil {
		return nil, err
	}
	w, err := newWorker(at, name, "billing", at.orders, provider)
	if err != nil {
		producer.Close()
		return nil, err
	}
	return &billingService{
		worker: w, producer: producer, tracer: provider.Tracer("quickstart"),
		shipments: at.shipments, orders: orders,
	}, nil
}

func (s *billingService) close() {
	s.worker.close()
	s.producer.Close()
}

func (s *billingService) run(ctx context.Context) error {
	return s.worker.run(ctx, s.bill, func(o order, err error) {
		if err != nil || !o.Ship {
			s.orders.settle(o)
		}
	})
}

// bill handles one order. ctx has the span of its processing, so the payment's
// span and that of the message sent on become its children.
func (s *billingService) bill(ctx context.Context, o order) error {
	if err := s.charge(ctx, o); err != nil {
		return err
	}
	if !o.Ship {
		return nil
	}
	return send(ctx, s.producer, s.shipments, o)
}

// charge has a span of its own, as an application's spans go along with the
// library's.
func (s *billingService) charge(ctx context.Context, o order) error {
	_, span := s.tracer.Start(ctx, "charge card", trace.WithAttributes(amountKey.Float64(float64(o.Cents)/100)))
	defer span.End()
	work(4 * time.Millisecond)
	if o.Card == "expired" {
		return fail(span, declinedError{reason: "it has expired"})
	}
	return nil
}
