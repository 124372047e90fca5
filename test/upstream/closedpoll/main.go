// Command closedpoll shows that Consumer.Poll after Close ends the process with SIGSEGV.
package main

import (
	"fmt"
	"log"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	c, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": "localhost:1", "group.id": "group", "log_level": 0})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Poll returned", c.Poll(0))
}
