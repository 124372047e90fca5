package differential

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// cluster is a broker in the process, and a raw producer that fills topics.
type cluster struct {
	mock   *kafka.MockCluster
	filler *kafka.Producer
}

func newCluster(t rapid.TB) *cluster {
	t.Helper()
	mock, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{mock: mock}
	conf := c.config(kafka.ConfigMap{"linger.ms": 0, "go.events.channel.size": 100, "go.produce.channel.size": 1})
	if c.filler, err = kafka.NewProducer(&conf); err != nil {
		mock.Close()
		t.Fatal(err)
	}
	return c
}

func (c *cluster) close() {
	c.filler.Close()
	c.mock.Close()
}

var topics atomic.Int64

// topic creates a topic with a name of its own.
func (c *cluster) topic(t rapid.TB, partitions int) string {
	t.Helper()
	name := fmt.Sprintf("topic-%d", topics.Add(1))
	if err := c.mock.CreateTopic(name, partitions, 1); err != nil {
		t.Fatal(err)
	}
	return name
}

// config is a client configuration for the broker; more overrides and adds.
func (c *cluster) config(more ...kafka.ConfigMap) kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"bootstrap.servers":        c.mock.BootstrapServers(),
		"log_level":                0,
		"reconnect.backoff.ms":     10,
		"reconnect.backoff.max.ms": 50,
	}
	for _, kv := range more {
		for k, v := range kv {
			conf[k] = v
		}
	}
	return conf
}

// scriptsPerCluster bounds what a cluster keeps: it forgets nothing.
const scriptsPerCluster = 200

// clusters gives scripts that leave the broker alone one cluster for many of them.
type clusters struct {
	current *cluster
	used    int
}

// forPlayers returns a cluster for each of n players of a script: the same, or one of their own if the script stops it.
func (cs *clusters) forPlayers(t *rapid.T, n int, apart bool) []*cluster {
	t.Helper()
	if apart {
		own := make([]*cluster, n)
		for i := range own {
			own[i] = newCluster(t)
		}
		t.Cleanup(func() { closeAll(own) })
		return own
	}
	if cs.used++; cs.used > scriptsPerCluster {
		cs.close()
		cs.used = 1
	}
	if cs.current == nil {
		cs.current = newCluster(t)
	}
	return slices.Repeat([]*cluster{cs.current}, n)
}

func (cs *clusters) close() {
	if cs.current != nil {
		cs.current.close()
		cs.current = nil
	}
}

// closeAll closes clusters at once: each takes the time of a poll.
func closeAll(all []*cluster) {
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(c.close)
	}
	wg.Wait()
}
