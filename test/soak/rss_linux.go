package soak

import (
	"fmt"
	"os"
)

// rss returns the resident memory of the process.
func rss(int64) int64 {
	var size, resident int64
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &size, &resident)
	}
	if err != nil {
		panic(err) // There is no Linux without it.
	}
	return resident * int64(os.Getpagesize())
}
