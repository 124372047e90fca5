package upstream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "github.com/confluentinc/confluent-kafka-go/v2/kafka" // So that another version of it is another test to go test.
)

// crash stands for the end of the process by a signal in the client's C code.
const crash = "signal arrived during cgo execution"

// attempts is how often a program may fail to show its bug: most are races, which the client sometimes wins.
const attempts = 5

// Each program still shows its bug. If one does not, the client has mended it: see the package's documentation.
func TestBugsAreStillThere(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"flushhang":    "Flush(500) has not returned after 3 seconds\n",
		"topicpanic":   "a name of 513 bytes: Produce panics\nlinger.ms too high: Produce panics\n",
		"closedpoll":   crash,
		"closedlen":    crash,
		"lostreports":  "Flush returned 0\n1000 reports were asked for; lost ones: true\n",
		"onlyerror":    "true: delivery.report.only.error=true is not currently supported by the Go client\n\"true\": Flush returned 0, with 0 reports of 1 message\n",
		"channelclose": "Close has not returned after 3 seconds\n",
		"batchloses":   "3 messages were produced, 2 are reported and 0 are outstanding\n",
		"closeloses":   "one message of 10 was consumed; more are committed\n",
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // The first build compiles the client.
	t.Cleanup(cancel)
	// Without debug information linking takes half as long.
	if out, err := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", dir, "./...").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	programs, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) != len(want) {
		t.Errorf("%d programs, %d of them known", len(programs), len(want))
	}
	if runtime.GOOS != "linux" {
		delete(want, "closedlen") // What freed memory holds depends on malloc.
	}
	for name, output := range want {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			for range attempts {
				if got = run(t, filepath.Join(dir, name)); got == output {
					return
				}
			}
			t.Errorf("the client's bug may be mended: it printed\n%s\nwant\n%s", got, output)
		})
	}
}

// run returns what a program prints, or crash.
func run(t *testing.T, program string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && strings.Contains(stderr.String(), crash) {
		return crash
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	return stdout.String()
}
