// Command flushhang shows that Flush hangs for ever when Events() is full and nobody reads it. Its timeout bounds the
// waits, but not the sends into the channel.
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
		"bootstrap.servers":      cluster.BootstrapServers(),
		"go.events.channel.size": 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	topic := "topic"
	for range 10 {
		msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}}
		if err := p.Produce(msg, nil); err != nil {
			log.Fatal(err)
		}
	}
	returned := make(chan int)
	go func() { returned <- p.Flush(500) }()
	select {
	case left := <-returned:
		fmt.Println("Flush(500) returned", left)
	case <-time.After(3 * time.Second):
		fmt.Println("Flush(500) has not returned after 3 seconds")
	}
}
