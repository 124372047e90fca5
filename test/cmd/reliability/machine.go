package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// machine names what the suites run on.
func machine() string {
	client := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/confluentinc/confluent-kafka-go/v2" {
				client = dep.Version
			}
		}
	}
	_, library := kafka.LibraryVersion()
	broker, err := kafkatest.Version()
	if err != nil {
		broker = "(unknown)"
	}
	return fmt.Sprintf("%d CPUs, %s/%s, %s, confluent-kafka-go %s, librdkafka %s, Apache Kafka %s where one is used",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), client, library, broker)
}

// commitOf names the state of the sources. What this command writes itself is no change.
func commitOf(ctx context.Context, root string) (string, error) {
	commit, err := git(ctx, root, "rev-parse", "--short", "HEAD")
	if err != nil {
		return "", err
	}
	changes, err := git(ctx, root, "status", "--porcelain", "--", ".",
		":!test/reliability/results.json", ":!docs/reliability.md", ":!docs/soak-memory.svg")
	if err != nil {
		return "", err
	}
	if changes != "" {
		commit += " with changes"
	}
	return commit, nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(bytes.TrimSpace(out)), nil
}
