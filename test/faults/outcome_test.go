//go:build integration

package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kafkatrace/tracing/test/reliability"
)

// problems are what a check finds wrong.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// assert fails the test if there are any. of is who has them.
func (p problems) assert(t *testing.T, of string) {
	t.Helper()
	const most = 5
	if len(p) > 0 {
		t.Errorf("%s: %d problems:\n\t%s", of, len(p), strings.Join(p[:min(most, len(p))], "\n\t"))
	}
}

// finish ends the applications, checks what they have seen, which is to be the same, and keeps it as the result of a
// case. fates are all that messages may have met.
func (as applications) finish(t *testing.T, result string, fates ...string) {
	t.Helper()
	lost := as.verify(t)
	if raw, traced := as[0].sender.fates(), as[1].sender.fates(); !maps.Equal(raw, traced) {
		t.Errorf("without tracing %v, with it %v", raw, traced)
	}
	as.assertFates(t, fates, nil)
	as.keep(t, result, count(lost))
}

// verify waits until every message has its report, and everything that Kafka has of them is handled. Then it ends the
// applications and checks what they have seen. It returns how many messages were lost.
func (as applications) verify(t *testing.T) (lost int) {
	t.Helper()
	for _, a := range as {
		a.sender.settle()
		records := stored(t, a.cluster.Bootstrap(), a.sender.topic, a.sender.partitions, "read_uncommitted")
		if a.receiver != nil {
			eventually(t, a.client.name+": all is handled", func() bool { return len(handledBy(a.receiver)) >= len(records) })
		}
		a.end()
		unstored, wrong := a.sender.checkStored(records, a.idempotent())
		wrong.assert(t, a.client.name)
		lost += unstored
		if a.receiver != nil {
			unhandled, wrong := checkHandled(records, handledBy(a.receiver))
			wrong.assert(t, a.client.name)
			lost += unhandled
		}
	}
	return lost
}

// end ends the application, once every message has its report, and checks what it has seen.
func (a *application) end() {
	a.t.Helper()
	a.sender.close()
	a.sender.checkReports(a.idempotent()).assert(a.t, a.client.name)
	if a.receiver != nil {
		checkClosed(a.receiver).assert(a.t, a.client.name)
	}
	if a.client.recorder == nil {
		return
	}
	a.client.checkEnded().assert(a.t, a.client.name)
	a.client.checkPublished(a.sender).assert(a.t, a.client.name)
	a.client.checkCounted(a.sender).assert(a.t, a.client.name)
	if a.receiver != nil {
		a.client.checkHandledSpans("kafka.receive", handledBy(a.receiver)).assert(a.t, a.client.name)
	}
}

// assertFates fails the test unless both applications saw messages meet each of these fates, and perhaps of those that
// chance decides on, but no others.
func (as applications) assertFates(t *testing.T, want, perhaps []string) {
	t.Helper()
	for _, a := range as {
		met := slices.Sorted(maps.Keys(a.sender.fates()))
		certain := slices.DeleteFunc(met, func(fate string) bool { return slices.Contains(perhaps, fate) })
		if !slices.Equal(certain, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: %v, want %q and perhaps %q", a.client.name, a.sender.fates(), want, perhaps)
		}
	}
}

func (a *application) String() string {
	text := a.sender.String()
	if a.receiver != nil {
		text += ", " + count(len(handledBy(a.receiver))) + " handled"
	}
	return text
}

// keep keeps what the applications have seen as the result of a case.
func (as applications) keep(t *testing.T, result, lost string) {
	t.Helper()
	keep(t, result, as[0].String(), as[1].String(), as[1].client.spanCount(), lost)
}

func keep(t *testing.T, result, raw, traced, spans, lost string) {
	t.Helper()
	t.Logf("%s: raw %s; traced %s; spans %s; lost %s", result, raw, traced, spans, lost)
	reliability.Record(t, reliability.Result{Suite: "faults", Case: result, Cells: map[string]string{
		"raw": raw, "traced": traced, "spans": spans, "lost": lost,
	}})
}
