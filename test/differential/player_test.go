package differential

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// step is a call that the application makes, or a few of them.
type step[P any] struct {
	name string
	run  func(P)
}

// player is a client that plays a script, and what it has seen.
type player struct {
	mode   mode
	lines  []string // observed; must be the same with every client
	faults []string // wrong whatever the raw client does
	now    atomic.Value
}

// performer is a player of either kind of client.
type performer interface {
	base() *player
	// leave closes the client, if the script has not got so far.
	leave()
}

func (p *player) base() *player { return p }

// see notes what the application observes.
func (p *player) see(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf("%v: ", p.now.Load())+fmt.Sprintf(format, args...))
}

// fault notes what must not be.
func (p *player) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf("%v: ", p.now.Load())+fmt.Sprintf(format, args...))
}

// answered notes the error that a call has returned, which must have a certain code.
func (p *player) answered(err error, want kafka.ErrorCode) {
	p.see("%s", describe(err))
	p.wantCode(err, want)
}

func (p *player) wantCode(err error, want kafka.ErrorCode) {
	if code, ok := codeOf(err); !ok || code != want {
		p.fault("%s, not %v", describe(err), want)
	}
}

// stopped is thrown by a player that cannot go on.
type stopped struct{}

// stop notes a fault and ends the player's script.
func (p *player) stop(format string, args ...any) {
	p.fault(format, args...)
	panic(stopped{})
}

// eventually waits until a condition holds.
func (p *player) eventually(condition func() bool, what string, args ...any) {
	if condition() {
		return
	}
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout:
			p.stop("not within %v: "+what, append([]any{patience}, args...)...)
		}
	}
}

// perform plays a script from beginning to end.
func perform[P performer](p P, steps []step[P]) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stopped); !ok {
				p.base().fault("panic: %v", r)
			}
		}
		p.base().now.Store("leave")
		p.leave()
	}()
	for i, s := range steps {
		p.base().now.Store(fmt.Sprintf("%d %s", i+1, s.name))
		s.run(p)
	}
}

// play plays a script with all clients at once, and fails if one of them differs from the first or is at fault. outer
// is told what the first failure was: while the script is shortened it may not happen again.
func play[P performer](outer rapid.TB, t *rapid.T, steps []step[P], players []P) {
	outer.Helper()
	differences := playAll(steps, players)
	if len(differences) == 0 {
		return
	}
	var verdict strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&verdict, "%3d %s\n", i+1, s.name)
	}
	verdict.WriteString(strings.Join(differences, "\n"))
	if !outer.Failed() {
		outer.Errorf("first failure:\n%s", &verdict)
	}
	t.Log(verdict.String())
	// Always the same text: it is how the same failure is known while the script is shortened.
	t.Fatal("the clients differ")
}

func playAll[P performer](steps []step[P], players []P) (differences []string) {
	var wg sync.WaitGroup
	for _, p := range players {
		wg.Go(func() { perform(p, steps) })
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return compare(players)
	case <-time.After(scriptTime):
		for _, p := range players {
			differences = append(differences, fmt.Sprintf("%s hangs, or is done with: %v", p.base().mode, p.base().now.Load()))
		}
		return append(differences, inTheClient())
	}
}

// inTheClient tells where goroutines of the client and of the library are.
func inTheClient() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var of []string
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "/kafka.") || strings.Contains(stack, "tracing.(") {
			of = append(of, stack)
		}
	}
	return strings.Join(of, "\n\n")
}

func compare[P performer](players []P) (differences []string) {
	first := players[0].base()
	for _, p := range players {
		b := p.base()
		if len(b.faults) > 0 {
			differences = append(differences, fmt.Sprintf("%s:\n\t%s", b.mode, strings.Join(b.faults[:min(5, len(b.faults))], "\n\t")))
		}
		if len(first.faults) > 0 && len(b.faults) > 0 {
			continue // the script was not played to its end
		}
		for i := range max(len(b.lines), len(first.lines)) {
			if got, want := at(b.lines, i), at(first.lines, i); got != want {
				differences = append(differences, fmt.Sprintf("%s\n\tsaw %s\n\t%s\n\tsaw %s", b.mode, got, first.mode, want))
				break
			}
		}
	}
	return differences
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing more"
}
