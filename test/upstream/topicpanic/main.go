// Command topicpanic shows that Produce panics, instead of returning an error, when librdkafka refuses the topic: for
// its name, or for a configuration that NewProducer has let pass.
package main

import (
	"fmt"
	"log"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	produce("a name of 513 bytes", strings.Repeat("t", 513), kafka.ConfigMap{})
	// A transactional producer's messages time out after transaction.timeout.ms, 60,000, and linger.ms must be below.
	produce("linger.ms too high", "topic", kafka.ConfigMap{"transactional.id": "id", "linger.ms": 60_000})
}

func produce(what, topic string, conf kafka.ConfigMap) {
	conf["bootstrap.servers"], conf["log_level"] = "localhost:1", 0 // It does not get as far as a broker.
	p, err := kafka.NewProducer(&conf)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	defer func() {
		if recover() != nil {
			fmt.Println(what+":", "Produce panics")
		}
	}()
	err = p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}}, nil)
	fmt.Println(what+":", "Produce returned", err)
}
