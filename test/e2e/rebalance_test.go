//go:build integration

package e2e

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// Consumers join and leave a group while messages flow: every message is handled, and nothing is committed before.
func TestRebalancesLoseNothing(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{classic, kip848} {
		for _, batchSize := range []int{0, 50} {
			name := protocol + " Consume"
			if batchSize > 0 {
				name += "Batch"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				const messages, partitions = 5000, 6
				bootstrap := impatient.bootstrap(t)
				topic := kafkatest.NewTopic(t, bootstrap, partitions)
				g := &group{
					t: t, topic: topic, conf: memberConfig(bootstrap, topic, protocol), batchSize: batchSize,
					handled: newLedger(partitions), commits: newCommitted(t, bootstrap, topic, topic),
				}
				stopFlow := g.flow(bootstrap, partitions)

				first := g.join()
				second := g.join()
				third := g.join()
				first.leave()
				first = g.join()
				second.leave()
				third.leave()
				n := stopFlow(messages)
				eventually(t, "every message handled", func() bool {
					g.handled.assertNotBeyond(t, g.commits)
					done, _ := g.handled.count()
					return done == n
				})
				first.leave()
				g.handled.assertAll(t, g.commits)
			})
		}
	}
}

// group is a consumer group of this process.
type group struct {
	t         *testing.T
	topic     string
	conf      kafka.ConfigMap
	batchSize int
	handled   *ledger
	commits   *committed
}

// flow produces messages to all partitions, one each millisecond, until stop has been called and there are as many as
// it was told. It returns how many there are.
func (g *group) flow(bootstrap string, partitions int) (stop func(atLeast int) int) {
	g.t.Helper()
	p := rawProducer(g.t, bootstrap, kafka.ConfigMap{"linger.ms": 1, "go.delivery.reports": false})
	var enough atomic.Int64
	enough.Store(1 << 62)
	produced := make(chan int, 1)
	ctx := g.t.Context()
	go func() {
		n := 0
		defer func() { produced <- n }()
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for ; int64(n) < enough.Load() && ctx.Err() == nil; n++ {
			msg := message(g.topic, "rebalance")
			msg.TopicPartition.Partition = int32(n % partitions)
			if err := p.Produce(msg, nil); err != nil {
				g.t.Error(err)
				return
			}
			<-pace.C
		}
	}()
	return func(atLeast int) int {
		g.t.Helper()
		enough.Store(int64(atLeast))
		n := <-produced
		if left := p.Flush(int(patience.Milliseconds())); left != 0 {
			g.t.Fatalf("%d messages not delivered", left)
		}
		return n
	}
}

// member is a consumer of a group.
type member struct {
	g      *group
	c      *tracing.TracedConsumer
	cancel context.CancelFunc
	result chan error
}

// join makes another consumer, and returns once it has handled messages and something more is committed.
func (g *group) join() *member {
	g.t.Helper()
	e := newTelemetry(g.t)
	m := &member{g: g, c: e.consumer(g.t, g.conf), result: make(chan error, 1)}
	if err := m.c.Subscribe(g.topic, nil); err != nil {
		g.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(g.t.Context())
	var done atomic.Int64
	go func() {
		m.result <- consumeEither(ctx, m.c, g.batchSize, func(_ context.Context, msg *kafka.Message) error {
			g.handled.note(msg.TopicPartition.Partition, int64(msg.TopicPartition.Offset))
			done.Add(1)
			return nil
		})
	}()
	before := g.commits.offsets()
	eventually(g.t, "the new member handles messages", func() bool {
		return done.Load() > 100 && !slices.Equal(g.handled.assertNotBeyond(g.t, g.commits), before)
	})
	return m
}

// leave ends the member's loop and closes it.
func (m *member) leave() {
	m.g.t.Helper()
	m.cancel()
	select {
	case err := <-m.result:
		if err != nil {
			m.g.t.Errorf("the loop ended with %v", err)
		}
	case <-time.After(patience):
		m.g.t.Fatal("the loop goes on")
	}
	if err := m.c.Close(); err != nil {
		m.g.t.Error(err)
	}
	m.g.handled.assertNotBeyond(m.g.t, m.g.commits)
}
