package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	// Listeners are further ways into every broker, beside PLAINTEXT, which the brokers use among themselves.
	Listeners []Listener
	// Properties are added to every broker's server.properties and win over this package's own.
	Properties map[string]string
	// MaxFileSize is how many bytes a broker can write to a file, see Broker.SetMaxFileSize; 0 means no limit.
	MaxFileSize int64
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
	perBroker := 2 + len(config.Listeners)
	addrs, err := port.Free(perBroker * config.Brokers)
	if err != nil {
		return nil, err
	}
	if config.Listen != "" {
		addrs[0] = config.Listen
	}
	for i := range config.Brokers {
		own := addrs[i*perBroker:][:perBroker]
		b := &Broker{
			id: i + 1, addr: own[0], controller: own[1],
			dir: filepath.Join(c.dir, fmt.Sprintf("broker-%d", i+1)), cluster: c, maxFileSize: config.MaxFileSize,
		}
		if err := b.listen(own[2:]); err != nil {
			return nil, err
		}
		c.brokers = append(c.brokers, b)
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

// BootstrapOf is Bootstrap for one of Config.Listeners.
func (c *Cluster) BootstrapOf(listener string) string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.listeners[listener].advertised
	}
	return strings.Join(addrs, ",")
}

// Broker returns the broker with that id, counted from 1.
func (c *Cluster) Broker(id int) *Broker { return c.brokers[id-1] }

// Kill ends every broker at once, as a power cut would, and returns when they are gone.
func (c *Cluster) Kill() {
	for _, b := range c.brokers {
		b.Kill()
	}
}

// Restart starts every broker that was stopped or killed, and returns when the cluster answers with all of them.
func (c *Cluster) Restart(ctx context.Context) error {
	for _, b := range c.brokers {
		if b.process == nil {
			if err := b.launch(); err != nil {
				return err
			}
		}
	}
	return c.ready(ctx)
}

// Close kills every broker and removes the cluster's data, unless Config.Dir asked for a place of its own.
func (c *Cluster) Close() error {
	c.Kill()
	if c.config.Dir != "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

// ready returns when every running broker answers and is a member of the cluster, or one of them has exited.
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
		// A broker that was killed is a member until its session ends, so it also has to answer for itself.
		if err == nil && contains(members, running) && answer(ctx, running) {
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

// answer tells whether each of the brokers takes connections.
func answer(ctx context.Context, brokers []*Broker) bool {
	for _, b := range brokers {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", b.addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
	}
	return true
}
