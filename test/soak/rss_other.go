//go:build !linux

package soak

// rss returns the memory that Go has mapped: elsewhere than on Linux the client's C memory is not seen.
func rss(mapped int64) int64 { return mapped }
