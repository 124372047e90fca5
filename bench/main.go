// Command bench measures what tracing costs: the same work with the raw client,
// with tracing written by hand and with the library, in one process, against a
// broker in that process. Variants take turns in a shuffled order, and every
// figure is a ratio to the raw client's of the same round, so that a busy machine
// disturbs all alike.
//
//	go run ./bench                 # prints everything
//	go run ./bench profile         # or some parts of it: produce, consume, memory, profile
//	go run ./bench -write          # everything, into bench/RESULTS.md and the README's table
package main

import (
	"flag"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if is, err := child(os.Args[1:]); is {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	rounds := flag.Int("rounds", 20, "how often each variant is measured")
	messages := flag.Int("messages", 20_000, "messages for each measurement")
	waiting := flag.Int("waiting", 100_000, "messages whose memory is measured")
	write := flag.Bool("write", false, "write RESULTS.md and the table of the README")
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	if *write && len(chosen) < len(parts) {
		log.Fatal("-write needs all parts")
	}
	r := results{rounds: *rounds, messages: *messages, waiting: *waiting}
	for _, p := range chosen {
		if err := r.measure(p); err != nil {
			log.Fatal(err)
		}
	}
	if *write {
		if err := r.write(); err != nil {
			log.Fatal(err)
		}
	}
}
