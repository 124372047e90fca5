//go:build integration

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A process that consumes is killed in the middle, twenty times: nothing is committed before it is handled, and in the
// end every message has been handled.
func TestAtLeastOnceThroughKills(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		protocol       string
		batchSize      int
		commitInterval time.Duration
	}{
		{name: "Consume", protocol: classic},
		{name: "ConsumeBatch", protocol: kip848, batchSize: 16},
		{name: "Consume, WithCommitInterval", protocol: kip848, commitInterval: 10 * time.Millisecond},
		{name: "ConsumeBatch, WithCommitInterval", protocol: classic, batchSize: 16, commitInterval: 10 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const messages, partitions, kills = 2000, 3, 20
			bootstrap := impatient.bootstrap(t)
			topic := kafkatest.NewTopic(t, bootstrap, partitions)
			produce(t, bootstrap, spread(topic, messages, partitions)...)
			conf := workerConfig{
				Consumer:  memberConfig(bootstrap, topic, test.protocol),
				Input:     topic,
				BatchSize: test.batchSize, CommitInterval: test.commitInterval,
			}
			conf.Consumer["enable.auto.commit"] = test.commitInterval == 0
			handled, commits := newLedger(partitions), newCommitted(t, bootstrap, topic, topic)
			for kill := range kills {
				w := &observedWorker{program: startWorker(t, "consume", conf), handled: handled}
				w.untilItIsTime(kill, commits)
				w.kill()
				w.note(w.output.all())
				handled.assertNotBeyond(t, commits)
			}
			if n, _ := handled.count(); n >= messages {
				t.Error("the last kill was not in the middle: every message had been handled")
			}

			w := &observedWorker{program: startWorker(t, "consume", conf), handled: handled}
			if err := w.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			w.wait("what is left", func(lines []string) bool {
				w.note(lines)
				n, _ := handled.count()
				return n == messages
			})
			w.stop()
			handled.assertAll(t, commits)
		})
	}
}

// spread returns n messages for all partitions of a topic.
func spread(topic string, n, partitions int) []*kafka.Message {
	msgs := make([]*kafka.Message, n)
	for i := range msgs {
		msgs[i] = message(topic, strconv.Itoa(i))
		msgs[i].TopicPartition.Partition = int32(i % partitions)
	}
	return msgs
}

// observedWorker is a worker whose output is being read.
type observedWorker struct {
	*program
	handled     *ledger
	next        int // the line to read next
	begun, done int
}

// note reads the lines that have come since the last call.
func (w *observedWorker) note(lines []string) {
	for ; w.next < len(lines); w.next++ {
		var word string
		var partition int32
		var offset int64
		if _, err := fmt.Sscanf(lines[w.next], "%s %d %d", &word, &partition, &offset); err != nil {
			continue // The race detector or a panic; the exit code tells of them.
		}
		switch word {
		case "begin":
			w.begun++
		case "done":
			w.done++
			w.handled.note(partition, offset)
		}
	}
}

// allow gives the worker leave to handle n messages.
func (w *observedWorker) allow(n int) {
	w.t.Helper()
	if _, err := w.stdin.Write(make([]byte, n)); err != nil {
		w.t.Fatal(err)
	}
}

// untilDone waits until n messages are handled and, if so asked, the worker is about to handle the next.
func (w *observedWorker) untilDone(n int, within bool) {
	w.t.Helper()
	w.wait("messages handled", func(lines []string) bool {
		w.note(lines)
		return w.done >= n && (!within || w.begun > w.done)
	})
}

// untilItIsTime returns when it is time to kill the worker: while it handles messages as fast as it can, or within the
// handling of one, or within one after something has been committed.
func (w *observedWorker) untilItIsTime(kill int, commits *committed) {
	w.t.Helper()
	n := 10 + rand.IntN(40)
	switch kill % 3 {
	case 0:
		w.allow(2 * n)
		w.untilDone(n, false)
	case 1:
		w.allow(n)
		w.untilDone(n, true)
	case 2:
		before := commits.offsets()
		for given := 0; slices.Equal(commits.offsets(), before) && given < 150; given += 10 {
			w.allow(10)
			w.untilDone(given+10, true)
		}
	}
}
