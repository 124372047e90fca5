package collectortest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/internal/port"
	"github.com/kafkatrace/tracing/test/internal/process"
)

// ShippedConfig is the name of the configuration in the repository's root.
const ShippedConfig = "otel-collector-config.yaml"

// Config says how to start a collector.
type Config struct {
	// Jaeger is the address, host:port, to which the shipped configuration's Jaeger exporter sends: in tests an
	// otlpsink.
	Jaeger string
	// Overrides are further configurations, merged over the shipped one in this order: whatever the collector's
	// --config takes, for example "yaml:exporters::debug::verbosity: detailed".
	Overrides []string
}

// A Collector is a running collector.
type Collector struct {
	grpc, http, health, prometheus string
	dir                            string
	process                        *process.Process
}

// Start starts a collector and returns when its health check says that it is ready. The caller must Close it. On Linux
// it also ends with the calling process, however that ends.
func Start(ctx context.Context, config Config) (*Collector, error) {
	binary, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	root, err := cache.Root()
	if err != nil {
		return nil, err
	}
	args := []string{"--config", filepath.Join(root, ShippedConfig)}
	for _, override := range config.Overrides {
		args = append(args, "--config", override)
	}
	// Another process may take a port between its choice and the collector's start; other ports then do.
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, binary, args, config.Jaeger)
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return c, err
		}
	}
}

func start(ctx context.Context, binary string, args []string, jaeger string) (_ *Collector, err error) {
	ports, err := port.Free(4)
	if err != nil {
		return nil, err
	}
	c := &Collector{grpc: ports[0], http: ports[1], health: ports[2], prometheus: ports[3]}
	if c.dir, err = os.MkdirTemp("", "collectortest-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	// Not the caller's context: it ends with the start, the collector goes on.
	cmd := exec.CommandContext(context.Background(), binary, args...)
	cmd.Env = append(os.Environ(),
		"OTLP_GRPC_LISTEN="+c.grpc, "OTLP_HTTP_LISTEN="+c.http, "HEALTH_LISTEN="+c.health,
		"PROMETHEUS_LISTEN="+c.prometheus, "JAEGER_ENDPOINT="+jaeger)
	if c.process, err = process.Start(cmd, c.log()); err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Validate runs `otelcol validate` on configurations, given as for --config, and returns its complaint.
func Validate(ctx context.Context, configs ...string) error {
	binary, err := Install(ctx)
	if err != nil {
		return err
	}
	args := []string{"validate"}
	for _, config := range configs {
		args = append(args, "--config", config)
	}
	if out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// GRPC returns the address, host:port, of the OTLP/gRPC receiver.
func (c *Collector) GRPC() string { return c.grpc }

// HTTP returns the address, host:port, of the OTLP/HTTP receiver.
func (c *Collector) HTTP() string { return c.http }

// Health returns the URL of the health check.
func (c *Collector) Health() string { return "http://" + c.health + "/" }

// Prometheus returns the address, host:port, of the Prometheus exporter, which has /metrics.
func (c *Collector) Prometheus() string { return c.prometheus }

// Log returns what the collector has written so far, the debug exporter's output included.
func (c *Collector) Log() (string, error) {
	text, err := os.ReadFile(c.log())
	return string(text), err
}

// Close stops the collector, which first sends what it holds, and removes its log.
func (c *Collector) Close() error {
	var err error
	if c.process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = c.process.Stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

// ready returns when the health check answers 200, or the collector has exited.
func (c *Collector) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Health(), http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		select {
		case <-c.process.Exited():
			return c.process.Err()
		case <-ctx.Done():
			return fmt.Errorf("collector not ready (%w); its log ends:\n%s", err, process.Tail(c.log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Collector) log() string { return filepath.Join(c.dir, "otelcol.log") }
