package kafkatest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestFileSizeIsLimited(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 1024} {
		file := filepath.Join(t.TempDir(), "file")
		cmd := exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "bs=512", "count=8", "of="+file)
		want := int64(8 * 512)
		if limit > 0 {
			limitFileSize(cmd, limit)
			want = limit
		}
		err := cmd.Run()
		if (err != nil) != (limit > 0) {
			t.Errorf("with the limit %d: %v", limit, err)
		}
		if info, err := os.Stat(file); err != nil || info.Size() != want {
			t.Errorf("with the limit %d the file is %v (%v), want %d bytes", limit, info, err, want)
		}
	}
}
