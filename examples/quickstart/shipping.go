package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const printLabelSpan = "print label"

// shippingService handles what billing has forwarded.
type shippingService struct {
	*worker
	tracer trace.Tracer
	orders *orderBook
}

func newShippingService(at *cluster, telemetry *telemetry, orders *orderBook) (*shippingService, error) {
	const name = "shipping-service"
	provider, err := telemetry.provider(name)
	if err != nil {
		return nil, err
	}
	w, err := newWorker(at, name, "shipping", at.shipments, provider)
	if err != nil {
		return nil, err
	}
	return &shippingService{worker: w, tracer: provider.Tracer("quickstart"), orders: orders}, nil
}

func (s *shippingService) run(ctx context.Context) error {
	return s.worker.run(ctx, s.ship, func(o order, _ error) { s.orders.settle(o) })
}

// ship handles one order, in the trace that began with its request.
func (s *shippingService) ship(ctx context.Context, _ order) error {
	_, span := s.tracer.Start(ctx, printLabelSpan)
	defer span.End()
	work(2 * time.Millisecond)
	return nil
}
