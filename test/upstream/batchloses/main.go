// Command batchloses shows that with go.batch.producer a message that librdkafka refuses disappears: it is neither
// delivered nor reported. The client looks at what rd_kafka_produce_batch returns, which is a count, and not at the error
// of each message.
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		log.Fatal(err)
	}
	p, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": cluster.BootstrapServers(),
		"go.batch.producer": true,
	})
	if err != nil {
		log.Fatal(err)
	}
	topic := "topic"
	for _, size := range []int{10, 2_000_000, 10} { // message.max.bytes is half of the second.
		p.ProduceChannel() <- &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Value:          make([]byte, size),
		}
	}
	reports := 0
	for timeout := time.After(3 * time.Second); ; {
		select {
		case event := <-p.Events():
			if _, ok := event.(*kafka.Message); ok {
				reports++
			}
		case <-timeout:
			fmt.Printf("3 messages were produced, %d are reported and %d are outstanding\n", reports, p.Len())
			return
		}
	}
}
