package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/kafkatrace/tracing"
)

// patience is how long nothing may come before a run gives up.
const patience = 30 * time.Second

// Run sends the messages and returns what there is to judge. The error says why the run could not be finished; whether
// it was a success is for [Report.Check] to say.
func Run(ctx context.Context, config Config) (*Report, error) {
	running := goleak.IgnoreCurrent()
	t := newTelemetry(config.Sampling)
	start := time.Now()
	r, err := traffic(ctx, config, t)
	took := time.Since(start)
	// Not ctx, which may have ended: the exporters are to be stopped all the same.
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := errors.Join(err, t.shutdown(final)); err != nil {
		return nil, err
	}
	return newReport(r, t, took, goleak.Find(running)), nil
}

// run is what the goroutines of a run share. Each field but the channels belongs to one of them.
type run struct {
	config  Config
	reports chan kafka.Event
	slots   chan struct{} // Holds one for each message that is produced and not yet consumed.

	accepted []uint64 // By partition.
	reported *ledger
	consumed *ledger
	samples  []Sample
}

// traffic opens the clients, has all messages sent, reported and consumed, and closes the clients.
func traffic(ctx context.Context, config Config, t *telemetry) (_ *run, err error) {
	r := &run{
		config:   config,
		reports:  make(chan kafka.Event, config.InFlight),
		slots:    make(chan struct{}, config.InFlight),
		accepted: make([]uint64, config.Partitions),
		reported: newLedger(config.Partitions),
		consumed: newLedger(config.Partitions),
		samples:  make([]Sample, 0, 2*Samples),
	}
	producer, err := tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": config.Bootstrap, "log_level": 0,
		"enable.idempotence": true, "compression.type": "lz4", "linger.ms": 5,
	}, t.options()...)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": config.Bootstrap, "log_level": 0,
		"group.id": config.Topic, "fetch.wait.max.ms": 10,
	}, t.options()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	partitions := make([]kafka.TopicPartition, config.Partitions)
	for i := range partitions {
		partitions[i] = kafka.TopicPartition{Topic: &config.Topic, Partition: int32(i), Offset: kafka.OffsetBeginning}
	}
	if err := consumer.Assign(partitions); err != nil {
		return nil, err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.produce(ctx, producer) })
	group.Go(func() error { return r.readReports(ctx) })
	group.Go(func() error { return r.consume(ctx, consumer) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := r.noMore(producer, consumer); err != nil {
		return nil, err
	}
	return r, nil
}

// noMore looks for what came beyond the messages: a report too many, or a message that is in the log twice.
func (r *run) noMore(producer *tracing.TracedProducer, consumer *tracing.TracedConsumer) error {
	timeout := int(patience.Milliseconds())
	if left := producer.Flush(timeout); left != 0 || len(r.reports) != 0 {
		return fmt.Errorf("after the last report Flush returned %d, and %d more reports are there", left, len(r.reports))
	}
	for partition, accepted := range r.accepted {
		_, end, err := consumer.QueryWatermarkOffsets(r.config.Topic, int32(partition), timeout)
		if err != nil {
			return err
		}
		if end != int64(accepted) {
			return fmt.Errorf("partition %d ends at offset %d, and %d messages were accepted", partition, end, accepted)
		}
	}
	return nil
}
