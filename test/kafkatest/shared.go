package kafkatest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// Shared returns the bootstrap.servers of a broker that all tests of this process use: the one that the environment's
// KAFKA_BOOTSTRAP_SERVERS names, or else a single native one, started by the first call. It fails the test when there
// is none. Call Main from TestMain so that the broker is stopped.
func Shared(t testing.TB) string {
	t.Helper()
	if servers := os.Getenv("KAFKA_BOOTSTRAP_SERVERS"); servers != "" {
		return servers
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		// Not the test's context: the broker outlives it.
		shared.cluster, shared.err = Start(context.Background(), Config{})
	}
	if shared.err != nil {
		t.Fatalf("shared Kafka broker: %v", shared.err)
	}
	return shared.cluster.Bootstrap()
}

// Main is a TestMain: it runs the tests, stops the shared broker, fails the run if a goroutine is left, and exits.
// Each stop is called before the search for goroutines.
func Main(m *testing.M, stop ...func() error) { MainIgnoring(m, nil, stop...) }

// MainIgnoring is Main for tests whose tools are known to leave goroutines behind.
func MainIgnoring(m *testing.M, known []goleak.Option, stop ...func() error) {
	code := m.Run()
	for _, f := range append(stop, stopShared) {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, "stop:", err)
			code = max(code, 1)
		}
	}
	if code == 0 {
		if err := goleak.Find(known...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return nil
	}
	return shared.cluster.Close()
}
