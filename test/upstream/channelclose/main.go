// Command channelclose shows that Close hangs for ever while ProduceChannel holds more than the local queue, and no
// broker answers. Close first stops reading reports, without which the queue never has room again.
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	p, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":            "localhost:1",
		"log_level":                    0,
		"queue.buffering.max.messages": 1,
		"message.timeout.ms":           500,
		"go.batch.producer":            false, // With true it is the same.
	})
	if err != nil {
		log.Fatal(err)
	}
	topic := "topic"
	for range 10 {
		p.ProduceChannel() <- &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}}
	}
	closed := make(chan struct{})
	go func() {
		p.Close()
		close(closed)
	}()
	select {
	case <-closed:
		fmt.Println("Close returned")
	case <-time.After(3 * time.Second):
		fmt.Println("Close has not returned after 3 seconds")
	}
}
