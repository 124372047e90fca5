package prometheustest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

// Version is the version of Prometheus; module is what Go calls it.
const (
	Version = "3.12.0"
	module  = "v0.312.0"
)

// Install makes sure that Prometheus is in the repository's cache and returns the path of its binary. The first call on
// a machine builds it; later ones return at once. It is safe for concurrent use, across processes too.
func Install(ctx context.Context) (string, error) {
	dir, err := cache.Ensure(ctx, "prometheus-"+Version, func(ctx context.Context, dir string) error {
		fmt.Fprintf(os.Stderr, "prometheustest: building Prometheus %s, which takes minutes\n", Version)
		// Not `go install`: it refuses a module that replaces others. They are of service discovery, which is left out.
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module build\n\ngo 1.25.0\n"), 0o644); err != nil {
			return err
		}
		const command = "github.com/prometheus/prometheus/cmd/prometheus"
		for _, args := range [][]string{
			{"get", command + "@" + module},
			{"build", "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", "prometheus", command},
		} {
			cmd := exec.CommandContext(ctx, "go", args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(out))
			}
		}
		return nil
	})
	return filepath.Join(dir, "prometheus"), err
}
