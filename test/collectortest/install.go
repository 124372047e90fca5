package collectortest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

//go:embed builder.yaml
var builder []byte

// Install makes sure that the collector is in the repository's cache and returns the path of its binary. The first
// call on a machine builds it; later ones return at once. It is safe for concurrent use, across processes too.
func Install(ctx context.Context) (string, error) {
	version, err := Version()
	if err != nil {
		return "", err
	}
	// The name has the content in it: a collector with other parts is another collector.
	name := fmt.Sprintf("otelcol-%s-%.4x", version, sha256.Sum256(builder))
	dir, err := cache.Ensure(ctx, name, func(ctx context.Context, dir string) error {
		fmt.Fprintf(os.Stderr, "collectortest: building the OpenTelemetry Collector %s, which takes minutes\n", version)
		config := filepath.Join(dir, "builder.yaml")
		if err := os.WriteFile(config, builder, 0o644); err != nil {
			return err
		}
		// In dir, which the repository's go.work does not list: GOWORK=off.
		cmd := exec.CommandContext(ctx, "go", "run", "go.opentelemetry.io/collector/cmd/builder@v"+version, "--config", config)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(out))
		}
		return nil
	})
	return filepath.Join(dir, "build", "otelcol"), err
}

// Version returns the collector's version that builder.yaml names.
func Version() (string, error) {
	found := regexp.MustCompile(`(?m)^  version: (\S+)$`).FindSubmatch(builder)
	if found == nil {
		return "", errors.New("collectortest: builder.yaml names no version")
	}
	return string(found[1]), nil
}
