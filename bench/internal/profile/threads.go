package profile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// threadTimes returns the CPU time of each of librdkafka's threads, which it names,
// by id. Only Linux tells; elsewhere there are none.
func threadTimes() map[string]time.Duration {
	threads := map[string]time.Duration{}
	dirs, _ := filepath.Glob("/proc/self/task/*") // fails for a bad pattern only
	for _, dir := range dirs {
		if name, _ := os.ReadFile(filepath.Join(dir, "comm")); !bytes.HasPrefix(name, []byte("rdk:")) {
			continue
		}
		times, err := os.ReadFile(filepath.Join(dir, "schedstat"))
		if err != nil {
			continue // it has ended
		}
		var nanoseconds int64
		if _, err := fmt.Fscan(bytes.NewReader(times), &nanoseconds); err == nil {
			threads[dir] = time.Duration(nanoseconds)
		}
	}
	return threads
}
