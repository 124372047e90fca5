package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestRootIsAboveTheTests(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "test", "internal", "cache")); err != nil {
		t.Fatal(err)
	}
}

func TestEnsure(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.work"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)

	if _, err := Ensure(t.Context(), "tool", func(context.Context, string) error { return errors.New("no network") }); err == nil {
		t.Fatal("a failed fill must fail Ensure")
	}

	var fills int // Guarded by Ensure's own lock: the race detector checks it.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := Ensure(t.Context(), "tool", func(_ context.Context, part string) error {
				fills++
				return os.WriteFile(filepath.Join(part, "bin"), []byte("x"), 0o600)
			})
			if err != nil {
				t.Error(err)
			} else if _, err := os.Stat(filepath.Join(got, "bin")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if fills != 1 {
		t.Errorf("filled %d times, want once", fills)
	}
}
