//go:build integration

package faults

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A broker cannot write any more to the disks of two partitions, and then it can again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disks := []string{"a", "b", "c"} // One for each partition, and one for the broker, which ends if all have failed.
	for i, disk := range disks {
		disks[i] = filepath.Join(dir, disk)
	}
	cluster, err := kafkatest.Start(t.Context(), kafkatest.Config{
		Dir: dir,
		// Kafka makes its indexes as large as they may become, 10 MiB, so it needs more than that.
		MaxFileSize: 11 << 20,
		Properties:  map[string]string{"log.dirs": strings.Join(disks, ","), "metadata.log.dir": filepath.Join(dir, "metadata")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	apps := setup{
		cluster: cluster, topic: kafka.TopicSpecification{NumPartitions: 1}, sendOnly: true,
		// What the broker cannot write is a whole batch.
		producer: kafka.ConfigMap{"message.timeout.ms": 8000, "batch.num.messages": 1},
	}.start(t)
	fill := func(n int) {
		t.Helper()
		for _, a := range apps {
			for range n {
				a.sender.send(100_000)
			}
		}
	}
	fill(50)
	apps.settle()
	fill(50)
	apps.settle()
	fill(50) // The last of these are too many.
	apps.sendUpTo(200)
	cluster.Broker(1).SetMaxFileSize(0)
	cluster.Kill()
	if err := cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	apps.sendUpTo(400)
	apps.finish(t, "disk full, and room again", "", "_MSG_TIMED_OUT")
}
