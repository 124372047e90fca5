// Command closeloses shows that Consumer.Close takes messages that are never handed to the application, and commits
// them as consumed: it polls until the client is closed, and each poll stores an offset.
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
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": cluster.BootstrapServers(), "go.delivery.reports": false})
	if err != nil {
		log.Fatal(err)
	}
	// The race of Close with the messages is nearly always lost within a few rounds.
	for round := range 20 {
		topic := fmt.Sprint("topic-", round)
		if err := cluster.CreateTopic(topic, 1, 1); err != nil {
			log.Fatal(err)
		}
		for range 10 {
			msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0}, Value: []byte("v")}
			if err := p.Produce(msg, nil); err != nil {
				log.Fatal(err)
			}
		}
		p.Flush(10_000)
		if committed := consumeOne(cluster.BootstrapServers(), topic); committed > 1 {
			fmt.Println("one message of 10 was consumed; more are committed")
			return
		}
	}
}

// consumeOne consumes the first message of a topic, closes the consumer, and returns the committed offset.
func consumeOne(servers, topic string) kafka.Offset {
	conf := &kafka.ConfigMap{
		"bootstrap.servers": servers, "group.id": topic, "group.protocol": "consumer", "auto.offset.reset": "earliest",
	}
	c, err := kafka.NewConsumer(conf)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Subscribe(topic, nil); err != nil {
		log.Fatal(err)
	}
	if _, err := c.ReadMessage(30 * time.Second); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
	if c, err = kafka.NewConsumer(conf); err != nil {
		log.Fatal(err)
	}
	offsets, err := c.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, 10_000)
	if err != nil {
		log.Fatal(err)
	}
	_ = c.Close() // this one has consumed nothing
	return offsets[0].Offset
}
