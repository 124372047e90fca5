package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"golang.org/x/sync/errgroup"

	"github.com/kafkatrace/tracing/test/internal/port"
	"github.com/kafkatrace/tracing/test/internal/process"
)

// Config says what cluster to start. Its zero value is one broker.
type Config struct {
	// Brokers is their number; 0 means 1. Internal topics are replicated to match.
	Brokers int
	// Listen is the address, host:port, of the first broker; empty means a free loopback port, which every other
	// broker gets.
	Listen string
	// Properties are added to every broker's server.properties and win over this package's own.
	Properties map[string]string
	// Dir holds configuration, data and logs, and is left to the caller. Empty means a temporary directory that Close
	// removes.
	Dir string
}

// A Cluster is one or more running brokers.
type Cluster struct {
	config  Config
	jars    string
	dir     string
	brokers []*Broker
}

// Start starts a cluster and returns when it answers with all its brokers. The caller must Close it. On Linux the
// brokers also end with the calling process, however that ends.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Brokers == 0 {
		config.Brokers = 1
	}
	jars, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	// Another process may take a port between its choice and the broker's start; other ports then do.
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, config, jars)
		if err == nil || attempt == 3 || config.Listen != "" || !strings.Contains(err.Error(), "Address already in use") {
			return c, err
		}
	}
}

func start(ctx context.Context, config Config, jars string) (_ *Cluster, err error) {
	c := &Cluster{config: config, jars: jars, dir: config.Dir}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "kafkatest-"); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	addrs, err := port.Free(2 * config.Brokers)
	if err != nil {
		return nil, err
	}
	if config.Listen != "" {
		addrs[0] = config.Listen
	}
	for i := range config.Brokers {
		c.brokers = append(c.brokers, &Broker{
			id: i + 1, addr: addrs[2*i], controller: addrs[2*i+1],
			dir: filepath.Join(c.dir, fmt.Sprintf("broker-%d", i+1)), cluster: c,
		})
	}

	id := newClusterID()
	var group errgroup.Group
	for _, b := range c.brokers {
		group.Go(func() error { return b.prepare(ctx, id) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, b := range c.brokers {
		if err := b.launch(); err != nil {
			return nil, err
		}
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Bootstrap returns the value for the client's bootstrap.servers, every broker included.
func (c *Cluster) Bootstrap() string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.addr
	}
	return strings.Join(addrs, ",")
}

// Broker returns the broker with that id, counted from 1.
func (c *Cluster) Broker(id int) *Broker { return c.brokers[id-1] }

// Close kills every broker and removes the cluster's data, unless Config.Dir asked for a place of its own.
func (c *Cluster) Close() error {
	for _, b := range c.brokers {
		b.Kill()
	}
	if c.config.Dir != "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

// ready returns when the cluster names every running broker as a member, or one of them has exited.
func (c *Cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var running []*Broker
	for _, b := range c.brokers {
		if b.process != nil {
			running = append(running, b)
		}
	}

	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{
		"bootstrap.servers":        c.Bootstrap(),
		"log_level":                0, // It is expected that nobody answers at first.
		"reconnect.backoff.ms":     50,
		"reconnect.backoff.max.ms": 250,
	})
	if err != nil {
		return err
	}
	defer admin.Close()
	for {
		members, err := members(ctx, admin)
		if err == nil && contains(members, running) {
			return nil
		}
		for _, b := range running {
			select {
			case <-b.process.Exited():
				return fmt.Errorf("broker %d: %w\n%s", b.id, b.process.Err(), process.Tail(b.Log()))
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster not ready (members %v, %w); broker 1's log ends:\n%s",
				members, errors.Join(err, ctx.Err()), process.Tail(c.brokers[0].Log()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// members asks for the ids of the cluster's live brokers.
func members(ctx context.Context, admin *kafka.AdminClient) (map[int]bool, error) {
	// Short, so that a broker that exits is noticed soon.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	description, err := admin.DescribeCluster(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[int]bool, len(description.Nodes))
	for _, node := range description.Nodes {
		ids[node.ID] = true
	}
	return ids, nil
}

func contains(members map[int]bool, brokers []*Broker) bool {
	for _, b := range brokers {
		if !members[b.id] {
			return false
		}
	}
	return true
}
