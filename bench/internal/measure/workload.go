// Package measure runs the same work in several ways, in turns, and compares what
// each way costs.
package measure

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Topic is the one topic of every workload. It has one partition.
const Topic = "bench"

// Workload is the same work done in several ways. The first variant is the one
// that the others are compared with.
type Workload struct {
	Name     string
	Variants []Variant

	// Limit is the most messages of one measurement; 0 is no limit.
	Limit int
	// SetUp prepares the broker for measurements of a number of messages; may be nil.
	SetUp func(broker string, messages int) error
}

// Variant is one way to do the work.
type Variant struct {
	Name  string
	Floor string // the variant that does the same by hand; "" if there is none

	// Prepare makes ready for a measurement of a number of messages.
	Prepare func(broker string, messages int) (Run, error)
}

// Run is a measurement that is ready: only Work is measured.
type Run struct {
	Work    func() error
	CleanUp func()
}

// Measure runs every variant in every round, in a new order each time, and tells
// progress how far it is.
func (w Workload) Measure(rounds, messages int, progress io.Writer) (Table, error) {
	samples := make([][]Sample, len(w.Variants))
	err := WithBroker(func(broker string) error {
		messages, err := w.Ready(broker, messages)
		if err != nil {
			return err
		}
		goroutines := runtime.NumGoroutine()
		cleaned := func() {}
		for round := range rounds + 1 {
			for _, i := range rand.Perm(len(w.Variants)) {
				r, err := w.Variants[i].prepare(broker, messages)
				if err != nil {
					return fmt.Errorf("%s: %w", w.Name, err)
				}
				cleaned()
				s, err := r.sample(messages, goroutines)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", w.Name, w.Variants[i].Name, err)
				}
				cleaned = inBackground(r.CleanUp) // while the next is prepared
				if round > 0 {                    // the first one warms up
					samples[i] = append(samples[i], s)
				}
			}
			fmt.Fprintf(progress, "\r%s: round %d of %d", w.Name, round, rounds)
		}
		cleaned()
		fmt.Fprintln(progress)
		return nil
	})
	return newTable(w, samples), err
}

// inBackground calls do, and returns a function that waits until do has returned.
func inBackground(do func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return func() { <-done }
}

// Ready prepares a broker for measurements, and returns how many messages of
// those that are asked for one measurement may have.
func (w Workload) Ready(broker string, messages int) (int, error) {
	if w.Limit > 0 {
		messages = min(messages, w.Limit)
	}
	if w.SetUp == nil {
		return messages, nil
	}
	if err := w.SetUp(broker, messages); err != nil {
		return 0, fmt.Errorf("%s: %w", w.Name, err)
	}
	return messages, nil
}

// WithBroker calls do with a broker in this process that has the topic.
func WithBroker(do func(broker string) error) error {
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := cluster.CreateTopic(Topic, 1, 1); err != nil {
		return err
	}
	return do(cluster.BootstrapServers())
}

// Names of variants that are referred to.
const (
	RawClient         = "raw client"
	TracedOff         = "traced, all off"
	HandNotSampled    = "by hand, not sampled"
	TracedNotSampled  = "traced, not sampled"
	HandSampled       = "by hand, sampled"
	TracedSampled     = "traced, sampled"
	HandWithMetrics   = "by hand, sampled, with metrics"
	TracedWithMetrics = "traced, sampled, with metrics"
	GoroutineEach     = "goroutine for each message, sampled"
)

// Few returns the workload with the variants that suffice to see what it changes.
func (w Workload) Few() Workload {
	return w.Only(RawClient, TracedOff, TracedNotSampled, HandSampled, TracedSampled)
}

// Only returns the workload with the variants of these names, in its own order.
func (w Workload) Only(names ...string) Workload {
	w.Variants = slices.DeleteFunc(slices.Clone(w.Variants), func(v Variant) bool { return !slices.Contains(names, v.Name) })
	return w
}

// limit is how long one measurement may take, which is about a hundred times as
// long as one does.
const limit = time.Minute

// within returns the error of work, or an error if work has not returned in time:
// then nothing of it can be used any more.
func within(limit time.Duration, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("not finished after %v", limit)
	}
}
