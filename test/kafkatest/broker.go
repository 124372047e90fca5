package kafkatest

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/kafkatrace/tracing/test/internal/process"
)

//go:embed log4j2.properties
var log4j []byte

// A Broker is one node of a Cluster, controller and broker in one. Its methods are for one goroutine at a time.
type Broker struct {
	id         int // From 1, Kafka's node.id.
	addr       string
	controller string
	listeners  map[string]listening // By name, those of Config.Listeners.
	dir        string
	cluster    *Cluster
	process    *process.Process // nil while it is down.

	maxFileSize int64
}

// ID returns Kafka's node.id, counted from 1.
func (b *Broker) ID() int { return b.id }

// Addr returns the address, host:port, that clients use. A restarted broker keeps it.
func (b *Broker) Addr() string { return b.addr }

// Log returns the path of the broker's log.
func (b *Broker) Log() string { return b.file("server.log") }

// Exited is closed when the broker's process has ended. The broker must be running.
func (b *Broker) Exited() <-chan struct{} { return b.process.Exited() }

// Stop shuts the broker down as an operator would: it hands its partitions over first. When ctx ends before that, the
// broker is killed and ctx's error returned.
func (b *Broker) Stop(ctx context.Context) error {
	if b.process == nil {
		return nil
	}
	defer func() { b.process = nil }()
	return b.process.Stop(ctx)
}

// Kill ends the broker at once, as a crash would, and returns when it is gone.
func (b *Broker) Kill() {
	if b.process != nil {
		b.process.Kill()
		b.process = nil
	}
}

// Start starts a broker that was stopped or killed, on its old address and data, and returns when the whole cluster
// answers with every running broker among its members.
func (b *Broker) Start(ctx context.Context) error {
	if err := b.launch(); err != nil {
		return err
	}
	return b.cluster.ready(ctx)
}

// SetMaxFileSize sets how many bytes the broker can write to a file, from its next start on; 0 means no limit. Writing
// more fails as it does on a full disk, for every user and without one.
func (b *Broker) SetMaxFileSize(bytes int64) { b.maxFileSize = bytes }

// prepare writes the broker's files and formats its storage.
func (b *Broker) prepare(ctx context.Context, clusterID string) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(b.file("log4j2.properties"), log4j, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(b.file("server.properties"), format(b.cluster.properties(b)), 0o644); err != nil {
		return err
	}
	cmd := b.java(ctx, "kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", b.file("server.properties"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format broker %d: %w\n%s", b.id, err, out)
	}
	return nil
}

// launch starts the process and does not wait for it to be ready.
func (b *Broker) launch() error {
	if b.process != nil {
		return fmt.Errorf("broker %d is running", b.id)
	}
	// Not the caller's context: it ends with the start, the broker goes on.
	cmd := b.java(context.Background(), "kafka.Kafka", b.file("server.properties"))
	if b.maxFileSize > 0 {
		limitFileSize(cmd, b.maxFileSize)
	}
	p, err := process.Start(cmd, b.file("stdout.log"))
	if err != nil {
		return fmt.Errorf("start broker %d: %w", b.id, err)
	}
	b.process = p
	return nil
}

func (b *Broker) java(ctx context.Context, main string, args ...string) *exec.Cmd {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	return exec.CommandContext(ctx, java, append([]string{
		// A small heap, and a compiler that favours a quick start over peak speed.
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + b.file("log4j2.properties"),
		"-Dkafka.log.file=" + b.Log(),
		"-cp", filepath.Join(b.cluster.jars, "*"),
		main,
	}, args...)...)
}

// limitFileSize has cmd run by a shell that sets the limit; Go can set one only for the process it is in.
func limitFileSize(cmd *exec.Cmd, bytes int64) {
	const block = 512 // POSIX' unit of ulimit -f
	cmd.Args = append([]string{"sh", "-c", `ulimit -f "$1" && shift && exec "$@"`, "sh", strconv.FormatInt(bytes/block, 10), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
}

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }
