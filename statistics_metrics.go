package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

// docs/metrics.md is written from the same table that is registered here.
//go:generate go run ./internal/cmd/metricsdoc -o docs/metrics.md

// observables are the instruments of the table that a client of some role has.
type observables struct {
	client    []observable[clientstats.Client]
	broker    []observable[clientstats.Broker]
	partition []observable[clientstats.Partition]
}

// observable is an instrument of the table, as the meter made it.
type observable[T any] struct {
	clientstats.Instrument[T]
	whole   metric.Int64Observable
	divided metric.Float64Observable // in place of whole, for what comes in a smaller unit
}

func newObservables(meter metric.Meter, role clientstats.Role) observables {
	return observables{
		client:    observablesOf(meter, clientstats.ClientInstruments, role),
		broker:    observablesOf(meter, clientstats.BrokerInstruments, role),
		partition: observablesOf(meter, clientstats.PartitionInstruments, role),
	}
}

// observablesOf makes the instruments. One that the meter refuses is left out.
func observablesOf[T any](meter metric.Meter, table []clientstats.Instrument[T], role clientstats.Role) []observable[T] {
	made := make([]observable[T], 0, len(table))
	for i := range table {
		o := observable[T]{Instrument: table[i]}
		if o.Of&role == 0 {
			continue
		}
		var err error
		unit, description := metric.WithUnit(o.Unit), metric.WithDescription(o.Description)
		switch {
		case o.PerUnit != 0:
			o.divided, err = meter.Float64ObservableGauge(o.Name, unit, description)
		case o.Kind == clientstats.Counter:
			o.whole, err = meter.Int64ObservableCounter(o.Name, unit, description)
		default:
			o.whole, err = meter.Int64ObservableGauge(o.Name, unit, description)
		}
		if err != nil {
			otel.Handle(err)
			continue
		}
		made = append(made, o)
	}
	return made
}

// all returns the instruments for their callback.
func (o *observables) all() []metric.Observable {
	return slices.Concat(instruments(o.client), instruments(o.broker), instruments(o.partition))
}

func instruments[T any](of []observable[T]) []metric.Observable {
	all := make([]metric.Observable, len(of))
	for i, o := range of {
		if o.PerUnit != 0 {
			all[i] = o.divided
		} else {
			all[i] = o.whole
		}
	}
	return all
}

// commonAttributes are those of all series of a client.
type commonAttributes struct {
	name  string
	attrs []attribute.KeyValue
}

// newCommonAttributes takes the client's id as spans tell it, and beside it the
// name that no other client of the process has.
func newCommonAttributes(c *config, name string, role clientstats.Role) commonAttributes {
	attrs := []attribute.KeyValue{attribute.String(clientstats.ClientName, name)}
	if c.clientID != "" {
		attrs = append(attrs, semconv.MessagingClientID(c.clientID))
	}
	if role == clientstats.Consumer && c.consumerGroup != "" {
		attrs = append(attrs, semconv.MessagingConsumerGroupName(c.consumerGroup))
	}
	return commonAttributes{name: name, attrs: attrs}
}

func (c commonAttributes) and(attrs ...attribute.KeyValue) []attribute.KeyValue {
	return append(slices.Clip(c.attrs), attrs...)
}

// observed is a document, ready to be observed as often as metrics are collected
// before the next one.
type observed struct {
	client     entity[clientstats.Client]
	brokers    []entity[clientstats.Broker]
	partitions []entity[clientstats.Partition]
}

// entity is what a series is about.
type entity[T any] struct {
	of    *T
	attrs []attribute.KeyValue
	set   []metric.ObserveOption
}

func newEntity[T any](of *T, attrs []attribute.KeyValue) entity[T] {
	// NewSet sorts its argument in place.
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return entity[T]{of: of, attrs: attrs, set: []metric.ObserveOption{set}}
}

func (c commonAttributes) observed(s *clientstats.Snapshot) *observed {
	o := &observed{client: newEntity(&s.Client, c.and())}
	for i := range s.Brokers {
		b := &s.Brokers[i]
		attrs := c.and(attribute.String(clientstats.BrokerName, b.Name))
		if b.ID.Known && b.ID.Value >= 0 {
			attrs = append(attrs, attribute.Int64(clientstats.BrokerID, b.ID.Value))
		}
		if host, port := splitServer(b.Address); host != "" {
			attrs = append(attrs, semconv.ServerAddress(host), semconv.ServerPort(port))
		}
		o.brokers = append(o.brokers, newEntity(b, attrs))
	}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		o.partitions = append(o.partitions, newEntity(p, c.and(
			semconv.MessagingDestinationName(p.Topic),
			semconv.MessagingDestinationPartitionID(p.ID),
		)))
	}
	return o
}

// observe is called for each collection.
func (s *statistics) observe(_ context.Context, o metric.Observer) error {
	if s.isClosed() { // the application has closed the embedded client
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	if s.current == nil {
		return nil
	}
	observeAll(o, s.observables.client, []entity[clientstats.Client]{s.current.client})
	observeAll(o, s.observables.broker, s.current.brokers)
	observeAll(o, s.observables.partition, s.current.partitions)
	return nil
}

func observeAll[T any](o metric.Observer, instruments []observable[T], entities []entity[T]) {
	for i := range instruments {
		for j := range entities {
			instruments[i].observe(o, &entities[j])
		}
	}
}

func (i *observable[T]) observe(o metric.Observer, e *entity[T]) {
	if i.States != nil {
		i.observeStates(o, e)
		return
	}
	switch n := i.Value(e.of); {
	case !n.Known || n.Value < 0:
	case i.PerUnit != 0:
		o.ObserveFloat64(i.divided, float64(n.Value)/i.PerUnit, e.set...)
	default:
		o.ObserveInt64(i.whole, n.Value, e.set...)
	}
}

// observeStates observes every state, also those that are not: a series that only
// ended would linger in many a backend.
func (i *observable[T]) observeStates(o metric.Observer, e *entity[T]) {
	is := i.States.State(e.of)
	if is == "" {
		return
	}
	for _, state := range i.States.Values {
		var value int64
		if state == is {
			value = 1
		}
		attrs := append(slices.Clip(e.attrs), attribute.String(i.States.Attribute, state))
		o.ObserveInt64(i.whole, value, metric.WithAttributeSet(attribute.NewSet(attrs...)))
	}
}
