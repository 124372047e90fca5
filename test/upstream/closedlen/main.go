// Command closedlen shows that Producer.Len reads freed memory after Close: about every second call ends the process,
// with SIGSEGV or SIGABRT.
package main

import (
	"fmt"
	"log"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func main() {
	for range 50 {
		p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": "localhost:1", "log_level": 0})
		if err != nil {
			log.Fatal(err)
		}
		p.Close()
		fmt.Println("Len returned", p.Len())
	}
}
