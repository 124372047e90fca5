// Command onlyerror shows that delivery.report.only.error, which NewProducer refuses, passes as a string. librdkafka
// then drops the reports of messages that were delivered, and the client keeps what it has stored for each for ever.
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
	for _, value := range []kafka.ConfigValue{true, "true"} {
		p, err := kafka.NewProducer(&kafka.ConfigMap{
			"bootstrap.servers":          cluster.BootstrapServers(),
			"delivery.report.only.error": value,
		})
		if err != nil {
			fmt.Printf("%#v: %v\n", value, err)
			continue
		}
		topic := "topic"
		reports := make(chan kafka.Event, 1)
		msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}}
		if err := p.Produce(msg, reports); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%#v: Flush returned %d, with %d reports of 1 message\n", value, p.Flush(10_000), len(reports))
	}
}
