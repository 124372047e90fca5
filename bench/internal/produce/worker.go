package produce

import (
	"errors"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// worker is a producing goroutine and the one that reads its reports.
type worker struct {
	Sender
	message kafka.Message // the one that is sent, over and over
	reports chan kafka.Event
	slots   chan struct{} // one is taken while a message is under way
	len     func() int
}

func (w Work) workers(p Producer) []*worker {
	workers := make([]*worker, w.Goroutines)
	for i := range workers {
		var own chan kafka.Event
		reports := p.Events
		if w.Reports == OwnChannel {
			own = make(chan kafka.Event, w.InFlight)
			reports = own
		}
		workers[i] = &worker{
			Sender:  p.Sender(own),
			message: w.message(),
			reports: reports,
			slots:   make(chan struct{}, w.InFlight/w.Goroutines),
			len:     p.Len,
		}
		if w.Reports == None {
			workers[i].reports = nil
		}
	}
	return workers
}

func runAll(workers []*worker, messages int) error {
	done := make(chan error, len(workers))
	for i, w := range workers {
		share := (messages + i) / len(workers) // all shares together are messages
		go func() { done <- w.run(share) }()
	}
	errs := make([]error, len(workers))
	for i := range errs {
		errs[i] = <-done
	}
	return errors.Join(errs...)
}

// run is the loop that is measured.
func (w *worker) run(messages int) error {
	if w.reports == nil {
		return w.runUnreported(messages)
	}
	done := make(chan error, 1)
	go func() { done <- w.read(messages) }()
	for range messages {
		w.slots <- struct{}{}
		msg := w.message
		if err := w.Send(&msg); err != nil {
			return err
		}
	}
	return <-done
}

// read reads the reports.
func (w *worker) read(messages int) error {
	var failed error
	for messages > 0 {
		switch e := (<-w.reports).(type) {
		case *kafka.Message:
			if err := e.TopicPartition.Error; err != nil {
				failed = err
			}
			if w.Reported != nil {
				w.Reported(e)
			}
			<-w.slots
			messages--
		case kafka.Error:
			failed = e
		}
	}
	return failed
}

// runUnreported is run for when there are no reports: what is under way is known
// by the length of the client's queue.
func (w *worker) runUnreported(messages int) error {
	const often = 100
	for n := range messages {
		if n%often == 0 {
			w.awaitLen(cap(w.slots) - often)
		}
		msg := w.message
		if err := w.Send(&msg); err != nil {
			return err
		}
	}
	w.awaitLen(0)
	return nil
}

// awaitLen waits until no more than n messages are under way. A measurement has a
// time limit, so this has none.
func (w *worker) awaitLen(n int) {
	for w.len() > n {
		time.Sleep(100 * time.Microsecond)
	}
}
