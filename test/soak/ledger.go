package soak

import "fmt"

// A ledger checks that the sequence numbers of each partition come in order, none missing, none twice.
type ledger struct {
	next     []uint64 // By partition.
	missing  uint64
	repeated uint64
	first    string // The first that was wrong.
}

func newLedger(partitions int) *ledger {
	return &ledger{next: make([]uint64, partitions)}
}

// add enters a sequence number. One that comes too early leaves a gap, and is counted again as repeated if it comes
// late: either is a failure.
func (l *ledger) add(partition int32, sequence uint64) {
	next := &l.next[partition]
	if sequence == *next {
		*next++
		return
	}
	if l.first == "" {
		l.first = fmt.Sprintf("%d instead of %d in partition %d", sequence, *next, partition)
	}
	if sequence < *next {
		l.repeated++
		return
	}
	l.missing += sequence - *next
	*next = sequence + 1
}

// check compares what was entered with what there is.
func (l *ledger) check(what string, accepted []uint64) error {
	missing := l.missing
	for partition, n := range accepted {
		missing += n - min(n, l.next[partition])
	}
	if missing == 0 && l.repeated == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d missing, %d twice or late (first: %s)", what, missing, l.repeated, l.first)
}
