package prometheustest

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

// ShippedConfig is the path of the configuration below the repository's root.
const ShippedConfig = "deploy/prometheus/prometheus.yml"

// What Config replaces in the shipped configuration.
const (
	shippedTarget   = "otel-collector:8889"
	shippedInterval = "scrape_interval: 5s"
)

// Config says how to start Prometheus.
type Config struct {
	// Collector is the address, host:port, to scrape in place of the shipped one.
	Collector string
	// Interval, if not 0, is how often, in place of the shipped interval.
	Interval time.Duration
	// Args are the arguments of the container, of which the paths are replaced.
	Args []string
}

// Prometheus is a running Prometheus.
type Prometheus struct {
	addr, dir string
	process   *process.Process
	client    *http.Client
}

// Start starts Prometheus and returns when it says that it is ready. The caller must Close it. On Linux it also ends
// with the calling process, however that ends.
func Start(ctx context.Context, config Config) (*Prometheus, error) {
	binary, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	// Another process may take a port between its choice and the start; another port then does.
	for attempt := 1; ; attempt++ {
		p, err := start(ctx, binary, config)
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return p, err
		}
	}
}

func start(ctx context.Context, binary string, config Config) (_ *Prometheus, err error) {
	ports, err := port.Free(1)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{addr: ports[0], client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if p.dir, err = os.MkdirTemp("", "prometheustest-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	file := filepath.Join(p.dir, "prometheus.yml")
	if err := configure(file, config); err != nil {
		return nil, err
	}
	args := []string{"--web.listen-address=" + p.addr}
	for _, arg := range config.Args {
		switch name, _, _ := strings.Cut(arg, "="); name {
		case "--config.file":
			arg = name + "=" + file
		case "--storage.tsdb.path":
			arg = name + "=" + filepath.Join(p.dir, "data")
		}
		args = append(args, arg)
	}
	// Not the caller's context: it ends with the start, Prometheus goes on.
	if p.process, err = process.Start(exec.CommandContext(context.Background(), binary, args...), p.log()); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// configure writes the shipped configuration with its replacements.
func configure(file string, config Config) error {
	root, err := cache.Root()
	if err != nil {
		return err
	}
	shipped, err := os.ReadFile(filepath.Join(root, ShippedConfig))
	if err != nil {
		return err
	}
	text := string(shipped)
	for from, to := range map[string]string{
		shippedTarget:   config.Collector,
		shippedInterval: fmt.Sprintf("scrape_interval: %dms", config.Interval.Milliseconds()),
	} {
		if strings.Count(text, from) != 1 {
			return fmt.Errorf("prometheustest: %s has not one %q", ShippedConfig, from)
		}
		if from != shippedInterval || config.Interval != 0 {
			text = strings.Replace(text, from, to, 1)
		}
	}
	return os.WriteFile(file, []byte(text), 0o600)
}

// URL returns the address of the page and the API.
func (p *Prometheus) URL() string { return "http://" + p.addr }

// Close stops Prometheus and removes its data.
func (p *Prometheus) Close() error {
	var err error
	if p.process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = p.process.Stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// ready returns when Prometheus says so, or has exited.
func (p *Prometheus) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := p.get(ctx, "/-/ready", nil, nil)
		if err == nil {
			return nil
		}
		select {
		case <-p.process.Exited():
			return p.process.Err()
		case <-ctx.Done():
			return fmt.Errorf("prometheus not ready (%w); its log ends:\n%s", err, process.Tail(p.log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Prometheus) log() string { return filepath.Join(p.dir, "prometheus.log") }
