package mutation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// overlay writes the trap's files, as they are in root but patched, to the empty directory dir, and beside them the
// file that the go command's -overlay takes. It returns the name of that.
func (t *Trap) overlay(ctx context.Context, root, dir string) (string, error) {
	before := make([][]byte, len(t.files))
	for i, name := range t.files {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		before[i] = content
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return "", err
		}
	}
	git := exec.CommandContext(ctx, "git", "apply", "--whitespace=nowarn", "-")
	git.Dir = dir
	git.Stdin = bytes.NewReader(t.patch)
	if out, err := git.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not apply to the library as it is now: %w\n%s", t.Name, err, out)
	}
	replace := map[string]string{}
	for i, name := range t.files {
		after, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		if bytes.Equal(before[i], after) { // Git may pass over a file in silence.
			return "", fmt.Errorf("%s changes nothing in %s", t.Name, name)
		}
		replace[filepath.Join(root, name)] = filepath.Join(dir, name)
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o644)
}
