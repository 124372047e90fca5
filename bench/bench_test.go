package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/bench/internal/consume"
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
)

// TestMain is the child that a test starts, too.
func TestMain(m *testing.M) {
	if is, err := child(os.Args[1:]); is {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	// Under the race detector a process waits a second before it ends.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		log.Fatal(err)
	}
	goleak.VerifyTestMain(m)
}

// Every variant does its work; how fast is not for a test to say.
func TestVariantsWork(t *testing.T) {
	t.Parallel()
	for _, w := range append(produce.Workloads(), consume.Workloads()...) {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			err := measure.WithBroker(func(broker string) error {
				messages, err := w.Ready(broker, 200)
				if err != nil {
					return err
				}
				for _, v := range w.Variants {
					s, err := v.Once(broker, messages)
					if err != nil {
						return err
					}
					if s.CPU <= 0 || s.Wall <= 0 || s.Allocs <= 0 || s.Bytes <= 0 {
						t.Errorf("%s: %+v", v.Name, s)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	w := consume.Workloads()[0].Few()
	table, err := w.Measure(2, 200, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(w.Variants) {
		t.Fatalf("%+v", table.Rows)
	}
	for _, r := range table.Rows {
		byHand := r.Name == measure.TracedOff || r.Name == measure.TracedSampled // those whose floor is there
		if r.ToFirst.Median <= 0 || (r.ToFloor.Median > 0) != byHand {
			t.Errorf("%+v", r)
		}
	}
	if text := table.Markdown(); strings.Count(text, "\n") != len(w.Variants)+2 {
		t.Error(text)
	}
	if text := table.Summary(measure.RawClient, measure.TracedOff); strings.Count(text, "\n") != 4 {
		t.Error(text)
	}
}

// The parts that start processes work; the others are made of the workloads. Not
// parallel: a profile's signals would end the brokers of other tests.
func TestPartsWork(t *testing.T) {
	chosen, err := choose([]string{"memory", "profile"})
	if err != nil {
		t.Fatal(err)
	}
	r := results{rounds: 1, messages: 200, waiting: 200}
	for _, p := range chosen {
		if err := r.measure(p); err != nil {
			t.Fatalf("%s: %v", p.title, err)
		}
	}
	for _, want := range []string{"| a sampled span, no client |", "| raw client |", "librdkafka's threads", "calls into librdkafka"} {
		if !strings.Contains(r.text.String(), want) {
			t.Errorf("no %q in\n%s", want, r.text.String())
		}
	}
	if !strings.Contains(r.head(), "confluent-kafka-go v") {
		t.Error(r.head())
	}
	if _, err := choose([]string{"nothing"}); err == nil {
		t.Error("a part that does not exist was chosen")
	}
}

func TestReplaceInFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceInFile(path, "x", "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
	if err := replaceInFile(path, "y", ""); err == nil {
		t.Error("a file without the markers was accepted")
	}
}
