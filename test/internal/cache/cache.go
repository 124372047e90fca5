// Package cache keeps what the tests download and build in the repository's .cache directory, which git ignores, so
// that only the first run on a machine pays for it.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Root returns the repository's root: the nearest directory above the working directory that holds go.work.
// Tests run in their package's directory and commands in the caller's, so both find it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for start := dir; ; {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.work in or above %s: run this inside the repository", start)
		}
		dir = parent
	}
}

// Ensure returns the directory .cache/name, calling fill to make it when it does not exist. Fill writes to the
// directory that it is given; nobody sees the result before fill has returned nil. Only one process at a time fills,
// because `go test ./...` runs packages in parallel and a fill may take minutes.
func Ensure(ctx context.Context, name string, fill func(ctx context.Context, dir string) error) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	base := filepath.Join(root, ".cache")
	dir := filepath.Join(base, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("lock %s: %w", name, err)
	}
	defer unlock()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err // Another process filled it while this one waited.
	}

	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", err
	}
	if err := fill(ctx, part); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, os.Rename(part, dir)
}
