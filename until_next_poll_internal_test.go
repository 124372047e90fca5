package tracing

import (
	"sync"
	"sync/atomic"
	"testing"
)

// However many goroutines poll, each span is ended, once.
func TestConsumerRule03OpenProcessEndsEachSpanOnce(t *testing.T) {
	t.Parallel()
	const pollers, n = 4, 10_000
	var (
		open  openProcess
		ended [pollers * n]atomic.Int32
		polls sync.WaitGroup
	)
	for p := range pollers {
		polls.Go(func() {
			for i := range n {
				open.replace(func(error) { ended[p*n+i].Add(1) })
			}
		})
	}
	polls.Wait()
	open.replace(nil)
	for i := range ended {
		if times := ended[i].Load(); times != 1 {
			t.Fatalf("span %d has ended %d times", i, times)
		}
	}
}
