package soak

import (
	"runtime"
	"runtime/metrics"
)

// A Sample is the state of the process after a number of messages.
type Sample struct {
	Consumed int // Messages.
	InFlight int // Produced and not yet consumed.
	// RSS is the memory of the process. Heap is what Go's last garbage collection found in use. Outside is what does
	// not belong to Go: the client's C memory and the pages of the program itself.
	RSS, Heap, Outside int64
	Goroutines         int
}

// takeSample reads the memory and the goroutines of the process. The heap is what the last collection left, not what
// is allocated at the moment: that doubles between two collections, and hides what is looked for.
func takeSample() Sample {
	values := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(values)
	mapped := int64(values[1].Value.Uint64() - values[2].Value.Uint64())
	resident := rss(mapped)
	return Sample{
		RSS:        resident,
		Heap:       int64(values[0].Value.Uint64()),
		Outside:    max(0, resident-mapped), // Go need not have touched all that it has mapped.
		Goroutines: runtime.NumGoroutine(),
	}
}
