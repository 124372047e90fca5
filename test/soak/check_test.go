package soak

import (
	"errors"
	"strings"
	"testing"
)

// good is a report of a run in which nothing was wrong.
func good() *Report {
	const n = MemoryMessages
	r := &Report{
		Config:  Config{Messages: n, Sampling: 1},
		Publish: SpanCount{n, n}, Receive: SpanCount{n, n}, Exported: 2 * n,
		Sent: n, Consumed: n,
	}
	for i := range Samples {
		s := Sample{Consumed: (i + 1) * n / Samples, RSS: 80 << 20, Heap: 20 << 20, Goroutines: 12}
		if i < Samples/4 { // Warm-up.
			s.RSS, s.Heap, s.Goroutines = 40<<20, 5<<20, 5
		}
		r.Samples = append(r.Samples, s)
	}
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*Report)
		want  string // In the error; empty: none.
	}{
		"good":                       {func(*Report) {}, ""},
		"one publish span not ended": {func(r *Report) { r.Publish.Ended--; r.Exported-- }, "1000000 publish spans started, 999999 ended"},
		"one receive span not ended": {func(r *Report) { r.Receive.Ended--; r.Exported-- }, "1000000 receive spans started, 999999 ended"},
		"one span not exported":      {func(r *Report) { r.Exported-- }, "2000000 ended, 1999999 exported"},
		"one message not continued":  {func(r *Report) { r.Receive = SpanCount{999_999, 999_999}; r.Exported-- }, "1000000 publish, 999999 receive"},
		"one message without spans": {func(r *Report) {
			r.Publish, r.Receive, r.Exported = SpanCount{999_999, 999_999}, SpanCount{999_999, 999_999}, 1_999_998
		}, "999999 publish spans of 1000000 messages"},
		"the same, sampled in part": {func(r *Report) {
			r.Config.Sampling = 0.9
			r.Publish, r.Receive, r.Exported = SpanCount{999_999, 999_999}, SpanCount{999_999, 999_999}, 1_999_998
		}, ""},
		"one message not counted as sent":     {func(r *Report) { r.Sent-- }, "999999 sent and 1000000 consumed of 1000000"},
		"one message not counted as consumed": {func(r *Report) { r.Consumed-- }, "1000000 sent and 999999 consumed of 1000000"},
		"order":                               {func(r *Report) { r.Order = errors.New("a gap") }, "a gap"},
		"a goroutine left":                    {func(r *Report) { r.Goroutines = errors.New("a leak") }, "a leak"},
		"a goroutine more for 100 samples":    {grow(func(s *Sample, i int) { s.Goroutines += i / 100 }), ""},
		"a goroutine more for 50 samples":     {grow(func(s *Sample, i int) { s.Goroutines += i / 50 }), "goroutines: from 14 to 19"},
		"heap grows by 16 bytes a message":    {grow(func(s *Sample, _ int) { s.Heap += int64(16 * s.Consumed) }), ""},
		"heap grows by 32 bytes a message":    {grow(func(s *Sample, _ int) { s.Heap += int64(32 * s.Consumed) }), "heap: from"},
		"RSS grows by 48 bytes a message":     {grow(func(s *Sample, _ int) { s.RSS += int64(48 * s.Consumed) }), "RSS: from"},
		"memory of a short run": {func(r *Report) {
			grow(func(s *Sample, _ int) { s.RSS += int64(48 * s.Consumed) })(r)
			n := int64(MemoryMessages - 1)
			r.Config.Messages, r.Sent, r.Consumed = int(n), n, n
			r.Publish, r.Receive, r.Exported = SpanCount{n, n}, SpanCount{n, n}, 2*n
		}, ""},
		"memory that comes and goes": {grow(func(s *Sample, i int) { s.Heap += int64(i%2) << 20; s.RSS += int64(i%3) << 20 }), ""},
		"one peak":                   {grow(func(s *Sample, i int) { s.RSS += int64(i/399) << 30 }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			test.spoil(r)
			err := r.Check()
			if test.want == "" && err != nil {
				t.Errorf("error %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func grow(change func(s *Sample, i int)) func(*Report) {
	return func(r *Report) {
		for i := range r.Samples {
			change(&r.Samples[i], i)
		}
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sequences []uint64
		want      string
	}{
		"in order":         {[]uint64{0, 1, 2, 3}, ""},
		"one missing":      {[]uint64{0, 1, 3}, "1 missing, 0 twice or late (first: 3 instead of 2 in partition 1)"},
		"the last missing": {[]uint64{0, 1, 2}, "1 missing, 0 twice or late"},
		"none":             {nil, "4 missing, 0 twice or late"},
		"one twice":        {[]uint64{0, 1, 1, 2, 3}, "0 missing, 1 twice or late (first: 1 instead of 2 in partition 1)"},
		"out of order":     {[]uint64{0, 2, 1, 3}, "1 missing, 1 twice or late"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(2)
			l.add(0, 0)
			for _, n := range test.sequences {
				l.add(1, n)
			}
			err := l.check("messages", []uint64{1, 4})
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestTick(t *testing.T) {
	t.Parallel()
	for size, want := range map[float64]float64{100: 50, 90: 50, 80: 20, 41: 20, 40: 10, 10_000_000: 5_000_000} {
		if got := tick(size, 4); got != want {
			t.Errorf("%v: %v, want %v", size, got, want)
		}
	}
}
