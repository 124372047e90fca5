package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// patience is how long a client may take to connect.
const patience = 10 * time.Second

// franzVariants are franz-go without and with its instrumentation.
func franzVariants(prepare func(messages int, opts ...kgo.Opt) (measure.Run, error)) []measure.Variant {
	instrumented := func(providers func() telemetry.Providers) func(string, int) (measure.Run, error) {
		return func(broker string, messages int) (measure.Run, error) {
			tracer := kotel.NewTracer(kotel.TracerProvider(providers().Traces),
				kotel.TracerPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
				kotel.ClientID("bench"), kotel.ConsumerGroup("bench"))
			return prepare(messages, kgo.SeedBrokers(broker), kgo.WithHooks(tracer))
		}
	}
	return []measure.Variant{
		{Name: "franz-go", Prepare: func(broker string, messages int) (measure.Run, error) {
			return prepare(messages, kgo.SeedBrokers(broker))
		}},
		{Name: "franz-go with kotel, not sampled", Prepare: instrumented(telemetry.NotSampled)},
		{Name: "franz-go with kotel, sampled", Prepare: instrumented(telemetry.Sampled)},
	}
}

func franzProducers() []measure.Variant {
	return franzVariants(func(messages int, opts ...kgo.Opt) (measure.Run, error) {
		client, err := connect(append(opts, kgo.ClientID("bench"), kgo.DefaultProduceTopic(measure.Topic), kgo.ProducerLinger(5*time.Millisecond),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite())...)
		if err != nil {
			return measure.Run{}, err
		}
		value := make([]byte, produce.Base.ValueSize)
		if err := client.ProduceSync(context.Background(), &kgo.Record{Value: value}).FirstErr(); err != nil {
			return measure.Run{}, err
		}
		return measure.Run{Work: func() error { return franzProduce(client, value, messages) }, CleanUp: client.Close}, nil
	})
}

// franzProduce is the loop that is measured. Promises are called in one goroutine.
func franzProduce(client *kgo.Client, value []byte, messages int) error {
	slots, done := make(chan struct{}, produce.Base.InFlight), make(chan error, 1)
	var failed error
	delivered := 0
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed = err
		}
		<-slots
		if delivered++; delivered == messages {
			done <- failed
		}
	}
	for range messages {
		slots <- struct{}{}
		client.Produce(context.Background(), &kgo.Record{Value: value}, promise)
	}
	return <-done
}

func franzConsumers() []measure.Variant {
	return franzVariants(func(messages int, opts ...kgo.Opt) (measure.Run, error) {
		client, err := connect(append(opts, kgo.ClientID("bench"), kgo.FetchMaxWait(10*time.Millisecond))...)
		if err != nil {
			return measure.Run{}, err
		}
		return measure.Run{Work: func() error { return franzConsume(client, messages) }, CleanUp: client.Close}, nil
	})
}

func franzConsume(client *kgo.Client, messages int) error {
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{measure.Topic: {0: kgo.NewOffset().AtStart()}})
	for messages > 0 {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(*kgo.Record) { messages-- })
	}
	return nil
}

func connect(opts ...kgo.Opt) (*kgo.Client, error) {
	// The mock broker cannot be asked for newer versions.
	client, err := kgo.NewClient(append(opts, kgo.MaxVersions(kversion.V2_3_0()))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = client.Ping(ctx)
	return client, err
}
