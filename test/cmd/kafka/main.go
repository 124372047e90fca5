// Command kafka runs an Apache Kafka broker without Docker, with the topics of the examples, until it is interrupted:
//
//	go run ./test/cmd/kafka
//
// It needs Java 17 and, the first time, Maven. Its data is gone when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9092", "the `address` that clients connect to; empty for a free port")
	topics := flag.String("topics", "orders,shipments", "the `names` of the topics to create, separated by commas")
	partitions := flag.Int("partitions", 3, "the number of partitions of each topic")
	flag.Parse()
	if err := run(*listen, *topics, *partitions); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(listen, topics string, partitions int) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cluster, err := kafkatest.Start(ctx, kafkatest.Config{Listen: listen})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	if topics != "" {
		if err := kafkatest.CreateTopics(ctx, cluster.Bootstrap(), partitions, 0, strings.Split(topics, ",")...); err != nil {
			return err
		}
	}
	fmt.Printf("KAFKA_BOOTSTRAP_SERVERS=%s\n", cluster.Bootstrap())
	fmt.Fprintf(os.Stderr, "Apache Kafka is ready; its log is %s. Ctrl-C ends it.\n", cluster.Broker(1).Log())
	select {
	case <-ctx.Done():
		return nil
	case <-cluster.Broker(1).Exited():
		return errors.New("the broker has exited")
	}
}
