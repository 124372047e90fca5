package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// consumerAuthor writes a script for a consumer. Its actions are the calls that a script is made of; each draws what
// the model says has one outcome, or skips.
type consumerAuthor struct {
	*consumerModel
	steps []step[*consumerPlayer]
}

// writeConsumerScript draws the calls of a script, up to its end.
func writeConsumerScript(t *rapid.T, c consumerConfig) *consumerAuthor {
	a := &consumerAuthor{consumerModel: newConsumerModel(c)}
	a.write("connect", func(p *consumerPlayer) { p.connect() })
	a.fill(t)
	t.Repeat(map[string]func(*rapid.T){
		"fill":          a.fill,
		"assign":        a.begin,
		"unassign":      a.unassign,
		"read":          a.read,
		"read all":      a.readAll,
		"poll idly":     a.pollIdly,
		"seek":          a.seek,
		"pause":         a.pause,
		"resume":        a.resume,
		"commit":        a.commit,
		"store offsets": a.store,
		"ask":           a.ask,
		"broker down":   a.brokerDown,
		"broker up":     a.brokerUp,
	})
	a.end(t)
	return a
}

func (a *consumerAuthor) write(name string, run func(*consumerPlayer)) {
	a.steps = append(a.steps, step[*consumerPlayer]{name, run})
}

// fill appends messages to a partition.
func (a *consumerAuthor) fill(t *rapid.T) {
	if a.down {
		t.SkipNow()
	}
	i := rapid.IntRange(0, a.partitions-1).Draw(t, "partition")
	kinds := drawKinds(t, false)
	var some []*content
	for range rapid.SampledFrom([]int{1, 1, 2, 5, 30}).Draw(t, "messages") {
		c := kinds.content(a.messages)
		a.messages++
		some = append(some, &c)
	}
	l := &a.logs[i]
	l.messages = append(l.messages, some...)
	l.ended = false
	a.write(fmt.Sprintf("fill partition %d with %d, headers %s", i, len(some), kinds.headers), func(p *consumerPlayer) { p.fill(i, some) })
}

// begin assigns all partitions, or subscribes.
func (a *consumerAuthor) begin(t *rapid.T) {
	if a.assigned || a.down {
		t.SkipNow()
	}
	if a.subscribes {
		a.assign()
		a.write("subscribe", func(p *consumerPlayer) { p.subscribe() })
		return
	}
	offsets := make([]kafka.Offset, a.partitions)
	starts := make([]int, a.partitions)
	certain := true
	for i := range offsets {
		offsets[i], starts[i] = a.drawOffset(t, i, true)
		certain = certain && offsets[i] >= 0
	}
	a.assign()
	for i, offset := range starts {
		a.start(i, offset)
	}
	a.write(fmt.Sprintf("assign at %v", offsets), func(p *consumerPlayer) { p.assign(offsets) })
	if !certain { // What the offsets stand for must be found out before it changes.
		a.writeReadAll("Poll")
	}
}

// drawOffset draws where to begin in partition i, and tells the offset that it stands for.
func (a *consumerAuthor) drawOffset(t *rapid.T, i int, assign bool) (kafka.Offset, int) {
	l := a.logs[i]
	kinds := []string{"absolute", "absolute", "beginning"}
	if a.eof {
		kinds = append(kinds, "end") // else nothing tells when it is found
	}
	if assign && (a.eof || len(l.messages) > max(0, l.committed)) {
		kinds = append(kinds, "stored")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "offset") {
	case "beginning":
		if a.eof || len(l.messages) > 0 {
			return kafka.OffsetBeginning, 0
		}
	case "end":
		return kafka.OffsetEnd, len(l.messages)
	case "stored":
		return kafka.OffsetStored, max(0, l.committed)
	}
	n := rapid.IntRange(0, len(l.messages)).Draw(t, "absolute")
	return kafka.Offset(n), n
}

// unassign gives all partitions up.
func (a *consumerAuthor) unassign(t *rapid.T) {
	if !a.assigned || a.subscribes || a.channel || a.commits || a.down || rapid.IntRange(0, 2).Draw(t, "unassign") > 0 {
		t.SkipNow()
	}
	for i := range a.logs {
		if a.logs[i].paused {
			t.SkipNow() // Whether it still is after the next Assign is up to the client.
		}
	}
	a.assigned = false
	a.write("unassign", func(p *consumerPlayer) { p.answered(p.client.Unassign(), kafka.ErrNoError) })
}

// ways in which an application receives.
var ways = []string{"Poll", "Poll endlessly", "Poll briefly", "ReadMessage", "ReadMessage endlessly", "ReadMessage briefly"}

func (a *consumerAuthor) drawWay(t *rapid.T) string {
	switch {
	case a.channel:
		return "Events"
	case a.eof && a.partitions > 1: // ReadMessage drops the ends of the others
		return rapid.SampledFrom(ways[:3]).Draw(t, "way")
	default:
		return rapid.SampledFrom(ways).Draw(t, "way")
	}
}

// read receives some messages of the only partition that has any: how they mix is up to the client.
func (a *consumerAuthor) read(t *rapid.T) {
	from, with := 0, 0
	for i := range a.logs {
		if a.flows(i) && len(a.logs[i].due()) > 0 {
			from = i
			with++
		}
	}
	if with != 1 || a.down {
		t.SkipNow()
	}
	n := rapid.IntRange(1, len(a.logs[from].due())).Draw(t, "messages")
	way := a.drawWay(t)
	want := map[int][]*content{from: a.receive(from, n)}
	first := a.logs[from].next - n
	a.write(fmt.Sprintf("%s: %d of partition %d", way, n, from), func(p *consumerPlayer) {
		p.receive(way, map[int]int{from: first}, want)
	})
}

// readAll receives everything, and where partitions tell their end that as well.
func (a *consumerAuthor) readAll(t *rapid.T) {
	if a.down || a.quiet() {
		t.SkipNow()
	}
	a.writeReadAll(a.drawWay(t))
}

func (a *consumerAuthor) writeReadAll(way string) {
	if a.channel {
		way = "Events"
	}
	first, want, ends := map[int]int{}, map[int][]*content{}, map[int]int{}
	n := 0
	for i := range a.logs {
		if !a.flows(i) {
			continue
		}
		l := &a.logs[i]
		first[i] = l.next
		want[i] = a.receive(i, len(l.due()))
		n += len(want[i])
		if a.eof && !l.ended {
			ends[i] = l.next
			l.ended = true
		}
	}
	a.write(fmt.Sprintf("%s: all %d", way, n), func(p *consumerPlayer) {
		p.receive(way, first, want)
		p.reachEnds(ends)
	})
}

// pollIdly receives when there is nothing to receive.
func (a *consumerAuthor) pollIdly(t *rapid.T) {
	if !a.quiet() {
		t.SkipNow()
	}
	timeout := rapid.SampledFrom([]int{0, 0, 1, 1, 20, 120}).Draw(t, "timeout")
	reads := rapid.Bool().Draw(t, "ReadMessage")
	a.write(fmt.Sprintf("nothing within %d ms", timeout), func(p *consumerPlayer) { p.idle(timeout, reads) })
}
