// Command bench measures what tracing costs: the same work with the raw client
// and with the traced one, in one process, against a broker in that process.
// Variants take turns in a shuffled order, and every figure is a ratio to the raw
// client's of the same round, so that a busy machine disturbs both alike.
//
//	go run ./bench                 # prints the tables
//	go run ./bench -write          # and writes bench/RESULTS.md and the README's table
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 20, "how often each variant is measured")
	messages := flag.Int("messages", 20_000, "messages for each measurement")
	write := flag.Bool("write", false, "write RESULTS.md and the table of the README")
	flag.Parse()
	if err := run(*rounds, *messages, *write); err != nil {
		log.Fatal("bench: ", err)
	}
}

func run(rounds, messages int, write bool) error {
	var tables []table
	for _, w := range []workload{producing(false), producing(true), consuming()} {
		t, err := measure(w, rounds, messages)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		tables = append(tables, t)
		fmt.Println(t.markdown())
	}
	if !write {
		return nil
	}
	return writeResults(tables, rounds, messages)
}

// workload is the same work done in several ways; the first variant is the one
// that the others are compared with.
type workload struct {
	name     string
	variants []variant
}

// variant does the work for a number of messages. prepare is not measured.
type variant struct {
	name    string
	prepare func(messages int) (work func() error, cleanUp func(), err error)
}

// measure runs every variant in every round, in a new order each time.
func measure(w workload, rounds, messages int) (table, error) {
	samples := make([][]sample, len(w.variants))
	for round := range rounds + 1 {
		for _, i := range rand.Perm(len(w.variants)) {
			s, err := once(w.variants[i], messages)
			if err != nil {
				return table{}, fmt.Errorf("%s: %w", w.variants[i].name, err)
			}
			if round > 0 { // the first one warms up
				samples[i] = append(samples[i], s)
			}
		}
		fmt.Fprintf(os.Stderr, "\r%s: round %d of %d", w.name, round, rounds)
	}
	fmt.Fprintln(os.Stderr)
	return newTable(w, samples), nil
}
