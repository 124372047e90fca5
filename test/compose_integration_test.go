//go:build integration

package test

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/internal/port"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// The tests here run the parts of docker-compose.yml that can be had without Docker.

func TestMain(m *testing.M) { kafkatest.Main(m) }

// A broker starts with the settings of the kafka service and serves the listener for the host.
func TestComposeKafkaStarts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, project := compose(t)

	addrs, err := port.Free(3)
	if err != nil {
		t.Fatal(err)
	}
	ports := make([]string, len(addrs))
	for i, addr := range addrs {
		if _, ports[i], err = net.SplitHostPort(addr); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("://:9092", "://"+addrs[0], "://:29092", "://"+addrs[1], "://:9093", "://"+addrs[2],
		":9092", ":"+ports[0], ":29092", ":"+ports[1], ":9093", ":"+ports[2], "//kafka", "//localhost")
	properties := map[string]string{}
	for name, value := range project.Services["kafka"].Environment {
		key, ok := strings.CutPrefix(name, "KAFKA_")
		if !ok || key == "HEAP_OPTS" || value == nil {
			continue
		}
		// As the image does it.
		properties[strings.ReplaceAll(strings.ToLower(key), "_", ".")] = here.Replace(*value)
	}
	if len(properties) < 10 {
		t.Fatalf("the kafka service's settings were not found: %v", properties)
	}

	cluster, err := kafkatest.Start(ctx, kafkatest.Config{Listen: addrs[0], Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := kafkatest.CreateTopics(ctx, cluster.Bootstrap(), 3, 1, "orders", "shipments"); err != nil {
		t.Error(err)
	}
}

// The health check of the topics service tells a collector that answers from one that does not.
func TestComposeCollectorHealthCheck(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	_, project := compose(t)
	collector, err := collectortest.Start(ctx, collectortest.Config{Jaeger: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	address := strings.NewReplacer("http://", "", ":", "/").Replace(strings.TrimSuffix(collector.Health(), "/"))
	check := func(created string) error {
		here := strings.NewReplacer("otel-collector/13133", address, "/tmp/topics-exist", created)
		command := strings.Split(here.Replace(strings.Join(project.Services["topics"].HealthCheck.Test[1:], "\x00")), "\x00")
		return exec.CommandContext(ctx, command[0], command[1:]...).Run()
	}

	if err := check(t.TempDir()); err != nil {
		t.Errorf("collector up, topics created: %v", err)
	}
	if check(filepath.Join(t.TempDir(), "missing")) == nil {
		t.Error("healthy before the topics exist")
	}
	if err := collector.Close(); err != nil {
		t.Fatal(err)
	}
	if check(t.TempDir()) == nil {
		t.Error("healthy without a collector")
	}
}
