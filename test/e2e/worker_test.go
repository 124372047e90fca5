//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// workerVariable names the environment variable that makes a process of this test binary a worker, and configVariable
// the one that tells it what to do.
const (
	workerVariable = "E2E_WORKER"
	configVariable = "E2E_WORKER_CONFIG"
)

// workers are the main functions of the workers. They end without an error when ctx does.
var workers = map[string]func(ctx context.Context, conf workerConfig) error{
	"consume":   consume,
	"transform": transform,
}

// workerConfig is what a worker is told. A message is handled when the worker has written "done" and its position; it
// writes "begin" before, and then waits for leave to handle it.
type workerConfig struct {
	Consumer       kafka.ConfigMap
	Producer       kafka.ConfigMap
	Input, Output  string
	BatchSize      int // 0: Consume, not ConsumeBatch
	CommitInterval time.Duration
}

// startWorker starts this test binary as a worker.
func startWorker(t *testing.T, name string, conf workerConfig) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, []string{workerVariable + "=" + name, configVariable + "=" + string(text)}, self)
}

// work is the main function of a worker.
func work(name string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var conf workerConfig
	err := json.Unmarshal([]byte(os.Getenv(configVariable)), &conf)
	if err == nil {
		err = workers[name](ctx, conf)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}

// clientConfig returns a client's configuration as it was before JSON made a float64 of every number.
func (workerConfig) clientConfig(from kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{}
	for key, value := range from {
		if n, ok := value.(float64); ok {
			value = int(n)
		}
		conf[key] = value
	}
	return &conf
}

// leave waits for leave to handle a message: a byte on stdin, or that stdin is closed. Nobody gives leave once ctx has
// ended.
func leave() {
	var b [1]byte
	if _, err := os.Stdin.Read(b[:]); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
}

// say writes a line at once: it is there also if the process is killed next.
func say(word string, msg *kafka.Message) {
	fmt.Fprintf(os.Stdout, "%s %d %d\n", word, msg.TopicPartition.Partition, msg.TopicPartition.Offset)
}

// consume consumes Input with Consume or ConsumeBatch.
func consume(ctx context.Context, conf workerConfig) (err error) {
	tp := sdktrace.NewTracerProvider()
	defer func() { _ = tp.Shutdown(context.Background()) }()
	c, err := tracing.NewConsumer(conf.clientConfig(conf.Consumer), tracing.WithTracerProvider(tp))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Subscribe(conf.Input, nil); err != nil {
		return err
	}
	var opts []tracing.ConsumeOption
	if conf.CommitInterval > 0 {
		opts = append(opts, tracing.WithCommitInterval(conf.CommitInterval))
	}
	return consumeEither(ctx, c, conf.BatchSize, func(_ context.Context, msg *kafka.Message) error {
		say("begin", msg)
		leave()
		say("done", msg)
		return nil
	}, opts...)
}
