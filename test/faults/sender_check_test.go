//go:build integration

package faults

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// refused is in front of the names of errors that Produce returned.
const refused = "refused: "

// fates returns how many messages met which fate: "" is that they were delivered, others are the names of the errors
// that were reported or returned. The caller holds mu, or has closed the sender.
func (s *sender) fates() map[string]int {
	n := map[string]int{}
	for _, m := range s.messages {
		switch {
		case m.refused != nil:
			n[refused+name(m.refused)]++
		case len(m.reports) > 0:
			n[name(m.reports[0].Error)]++
		}
	}
	return n
}

func (s *sender) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fates := s.fates()
	parts := []string{count(s.accepted) + " accepted", count(fates[""]) + " delivered"}
	for _, fate := range slices.Sorted(maps.Keys(fates)) {
		if fate != "" {
			parts = append(parts, count(fates[fate])+" "+fate)
		}
	}
	return strings.Join(parts, ", ")
}

// count formats a number for readers.
func count(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", count(n/1000), n%1000)
}

// checkReports tells what is wrong with the reports of a closed sender: they are to be one for each message that was
// accepted, and in order.
func (s *sender) checkReports(idempotent bool) (wrong problems) {
	for i, m := range s.messages {
		want := 1
		if m.refused != nil {
			want = 0
		}
		if len(m.reports) != want {
			wrong.add("message %d has %d reports, want %d: %+v", i, len(m.reports), want, m)
		}
	}
	return append(wrong, s.checkOrder(idempotent)...)
}

// checkOrder tells which reports came before others of their partition that the broker acknowledged first.
func (s *sender) checkOrder(idempotent bool) (wrong problems) {
	offsets, numbers := map[int32]kafka.Offset{}, map[int32]int{}
	for _, i := range s.reported {
		tp := s.messages[i].reports[0]
		if tp.Error != nil || tp.Offset == kafka.OffsetInvalid {
			continue
		}
		if before, ok := offsets[tp.Partition]; ok && before >= tp.Offset {
			wrong.add("the report of %v came after that of offset %v", tp, before)
		}
		if before, ok := numbers[tp.Partition]; ok && idempotent && before >= i {
			wrong.add("the report of message %d came after that of message %d", i, before)
		}
		offsets[tp.Partition], numbers[tp.Partition] = tp.Offset, i
	}
	return wrong
}

// checkStored tells what Kafka does not have as the sender was told, and how many of the messages that it was told are
// delivered Kafka does not have at all. What an idempotent producer sent Kafka is to have once, and in order.
func (s *sender) checkStored(records []record, idempotent bool) (lost int, wrong problems) {
	at, times, last := map[position]int{}, map[int]int{}, map[int32]int{}
	for _, r := range records {
		at[r.position] = r.number
		times[r.number]++
		if m := s.messages[r.number]; m.refused != nil || m.partition != r.partition {
			wrong.add("Kafka has message %d at %v: %+v", r.number, r.position, m)
		}
		if before, ok := last[r.partition]; ok && idempotent && before >= r.number {
			wrong.add("Kafka has message %d at %v, after message %d", r.number, r.position, before)
		}
		last[r.partition] = r.number
	}
	for i, m := range s.messages {
		if len(m.reports) == 0 || m.reports[0].Error != nil {
			continue
		}
		tp := m.reports[0]
		if times[i] == 0 {
			lost++
			wrong.add("message %d was acknowledged at %v, but Kafka does not have it", i, tp)
		}
		// A broker that had the message from an attempt before may not tell where.
		there, ok := at[position{tp.Partition, tp.Offset}]
		if tp.Partition != m.partition || (tp.Offset != kafka.OffsetInvalid && (!ok || there != i)) {
			wrong.add("message %d was acknowledged at %v, where Kafka has message %d (%v)", i, tp, there, ok)
		}
	}
	return lost, wrong
}
