//go:build integration

package e2e

import (
	"slices"
	"sync"
	"testing"
)

// ledger notes which messages of a topic have been handled.
type ledger struct {
	mu      sync.Mutex
	handled []map[int64]int // For each partition, how often each offset.
	times   int
}

func newLedger(partitions int) *ledger {
	l := &ledger{handled: make([]map[int64]int, partitions)}
	for i := range l.handled {
		l.handled[i] = map[int64]int{}
	}
	return l
}

func (l *ledger) note(partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[partition][offset]++
	l.times++
}

// count returns how many messages have been handled, and how often in all.
func (l *ledger) count() (messages, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.handled {
		messages += len(p)
	}
	return messages, l.times
}

// prefixes returns for each partition the first offset that has not been handled.
func (l *ledger) prefixes() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	offsets := make([]int64, len(l.handled))
	for i, p := range l.handled {
		for p[offsets[i]] > 0 {
			offsets[i]++
		}
	}
	return offsets
}

// assertNotBeyond fails the test if the group has committed what has not been handled: it would be lost.
func (l *ledger) assertNotBeyond(t *testing.T, c *committed) []int64 {
	t.Helper()
	offsets := c.offsets() // First: what is handled meanwhile does no harm.
	for i, handled := range l.prefixes() {
		if offsets[i] > handled {
			t.Errorf("partition %d: offset %d is committed, but %d has not been handled", i, offsets[i], handled)
		}
	}
	return offsets
}

// assertAll fails the test unless every message was handled, and all of it is committed.
func (l *ledger) assertAll(t *testing.T, c *committed) {
	t.Helper()
	ends := c.ends()
	if got := l.prefixes(); !slices.Equal(got, ends) {
		t.Errorf("handled without a gap up to %v, want the ends %v", got, ends)
	}
	if got := c.offsets(); !slices.Equal(got, ends) {
		t.Errorf("the group has committed %v, want the ends %v", got, ends)
	}
	messages, times := l.count()
	t.Logf("%d messages, handled %d times: %d twice", messages, times, times-messages)
}
