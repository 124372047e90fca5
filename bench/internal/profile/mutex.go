package profile

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kafkatrace/tracing/bench/internal/measure"
)

// Contention is how much others waited for locks that a function held.
type Contention struct {
	Variant   string
	Component Component
	Function  string
	Times     float64       // for a thousand messages
	Wait      time.Duration // for each message
}

// Mutex measures the contention of a variant over some rounds, the worst first.
func Mutex(v measure.Variant, broker string, messages, rounds int) ([]Contention, error) {
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	found := map[string]Contention{}
	err := v.With(broker, messages, func(work func() error) error {
		before, err := contentions()
		if err != nil {
			return err
		}
		if err := repeat(rounds, work); err != nil {
			return err
		}
		found, err = contentions()
		for name, c := range before { // the profile is of all time
			c.Times, c.Wait = found[name].Times-c.Times, found[name].Wait-c.Wait
			found[name] = c
		}
		return err
	})
	list := slices.DeleteFunc(slices.Collect(maps.Values(found)), func(c Contention) bool { return c.Times <= 0 })
	slices.SortFunc(list, func(a, b Contention) int {
		return cmp.Or(cmp.Compare(b.Wait, a.Wait), cmp.Compare(a.Function, b.Function))
	})
	for i := range list {
		list[i].Variant = v.Name
		list[i].Times /= float64(messages*rounds) / 1000
		list[i].Wait /= time.Duration(messages * rounds)
	}
	return list, err
}

// contentions returns all contentions so far, by function.
func contentions() (map[string]Contention, error) {
	var recorded bytes.Buffer
	if err := pprof.Lookup("mutex").WriteTo(&recorded, 0); err != nil {
		return nil, err
	}
	p, err := profile.Parse(&recorded)
	if err != nil {
		return nil, err
	}
	found := map[string]Contention{}
	for _, s := range p.Sample {
		name := holder(s)
		c := found[name]
		c.Function, c.Component = name, innermost(s)
		c.Times += float64(s.Value[0])
		c.Wait += time.Duration(s.Value[1])
		found[name] = c
	}
	return found, nil
}

// holder returns the function that held the lock: the innermost one outside of
// the lock's own package and the runtime, or the runtime's own.
func holder(s *profile.Sample) string {
	name := ""
	for _, location := range s.Location {
		for _, line := range location.Line {
			name = line.Function.Name
			if !strings.HasPrefix(name, "sync.") && !strings.HasPrefix(name, "internal/sync.") && !strings.HasPrefix(name, "runtime.") {
				return name
			}
		}
	}
	return name
}

var typeArguments = regexp.MustCompile(`\[.*\]`)

// MutexMarkdown returns contentions as a table, the worst of each variant.
func MutexMarkdown(title string, contentions []Contention) string {
	var s strings.Builder
	fmt.Fprintf(&s, "| %s | part | function | per 1,000 messages | waiting per message |\n|---|---|---|--:|--:|\n", title)
	for _, c := range contentions {
		function := typeArguments.ReplaceAllString(c.Function, "")
		function = function[strings.LastIndex(function, "/")+1:]
		fmt.Fprintf(&s, "| %s | %v | `%s` | %.2f | %d ns |\n", c.Variant, c.Component, function, c.Times, c.Wait.Nanoseconds())
	}
	return s.String()
}
