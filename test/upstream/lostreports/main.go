// Command lostreports shows that with go.delivery.reports=false reports are lost that were asked for, when messages
// with and without a delivery channel are mixed: one that nobody wants ends the handling of its whole batch.
package main

import (
	"fmt"
	"log"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		log.Fatal(err)
	}
	p, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":   cluster.BootstrapServers(),
		"go.delivery.reports": false,
		"linger.ms":           100, // So that they make one batch.
	})
	if err != nil {
		log.Fatal(err)
	}
	topic := "topic"
	reports := make(chan kafka.Event, 1000)
	for range 1000 {
		for _, to := range []chan kafka.Event{reports, nil} {
			msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}}
			if err := p.Produce(msg, to); err != nil {
				log.Fatal(err)
			}
		}
	}
	fmt.Println("Flush returned", p.Flush(10_000))
	fmt.Println("1000 reports were asked for; lost ones:", len(reports) < 1000)
}
