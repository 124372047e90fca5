package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// drawPartition draws one of the partitions for which a condition holds, or skips.
func (a *consumerAuthor) drawPartition(t *rapid.T, condition func(*partitionLog) bool) int {
	var some []int
	for i := range a.logs {
		if condition(&a.logs[i]) {
			some = append(some, i)
		}
	}
	if len(some) == 0 {
		t.SkipNow()
	}
	return rapid.SampledFrom(some).Draw(t, "partition")
}

// seek goes elsewhere in a partition that is being consumed.
func (a *consumerAuthor) seek(t *rapid.T) {
	if !a.assigned || a.channel || a.down {
		t.SkipNow()
	}
	i := a.drawPartition(t, func(l *partitionLog) bool { return l.active && !l.paused })
	offset, start := a.drawOffset(t, i, false)
	several := rapid.Bool().Draw(t, "SeekPartitions")
	a.start(i, start)
	a.write(fmt.Sprintf("seek %v in partition %d", offset, i), func(p *consumerPlayer) { p.seek(i, offset, several) })
	if offset < 0 {
		a.writeReadAll("Poll")
	}
}

// pause stops a partition.
func (a *consumerAuthor) pause(t *rapid.T) {
	if !a.assigned || a.channel {
		t.SkipNow()
	}
	i := a.drawPartition(t, func(l *partitionLog) bool { return l.active && !l.paused })
	a.logs[i].paused = true
	a.write(fmt.Sprintf("pause partition %d", i), func(p *consumerPlayer) { p.answered(p.client.Pause(p.at(i)), kafka.ErrNoError) })
}

// resume goes on with it: its end, if it is there, is told again.
func (a *consumerAuthor) resume(t *rapid.T) {
	if !a.assigned || a.channel {
		t.SkipNow()
	}
	i := a.drawPartition(t, func(l *partitionLog) bool { return l.paused })
	a.logs[i].paused, a.logs[i].ended = false, false
	a.write(fmt.Sprintf("resume partition %d", i), func(p *consumerPlayer) { p.answered(p.client.Resume(p.at(i)), kafka.ErrNoError) })
}

// commit commits in one of the ways there are.
func (a *consumerAuthor) commit(t *rapid.T) {
	if a.down || a.channel && a.stores || !a.assigned {
		t.SkipNow()
	}
	way := rapid.SampledFrom([]string{"Commit", "CommitMessage", "CommitOffsets"}).Draw(t, "way")
	if way == "Commit" {
		for i := range a.logs {
			if l := a.logs[i]; l.stored >= 0 && l.stored <= l.committed {
				t.SkipNow() // Whether it goes back is up to what the client remembers.
			}
		}
		a.commitStored()
		return
	}
	i := a.drawPartition(t, func(l *partitionLog) bool { return l.active })
	l := &a.logs[i]
	if way == "CommitMessage" {
		// Of what was received last; after a seek that is still where it was.
		l.committed = l.position
		a.write(fmt.Sprintf("commit the last message of partition %d", i), func(p *consumerPlayer) {
			offsets, err := p.client.CommitMessage(p.last[i])
			p.see("%s", p.list(offsets))
			p.answered(err, kafka.ErrNoError)
		})
		return
	}
	n := rapid.IntRange(0, len(l.messages)).Draw(t, "offset")
	l.committed = n
	a.write(fmt.Sprintf("commit %d in partition %d", n, i), func(p *consumerPlayer) {
		tps := p.at(i)
		tps[0].Offset = kafka.Offset(n)
		offsets, err := p.client.CommitOffsets(tps)
		p.see("%s", p.list(offsets))
		p.answered(err, kafka.ErrNoError)
	})
}

// commitStored commits what is stored; there may be nothing.
func (a *consumerAuthor) commitStored() {
	code := kafka.ErrNoOffset
	for i := range a.logs {
		if l := &a.logs[i]; l.stored >= 0 {
			l.committed = l.stored
			code = kafka.ErrNoError
		}
	}
	a.write("commit", func(p *consumerPlayer) {
		offsets, err := p.client.Commit()
		p.see("%s", p.list(offsets))
		p.answered(err, code)
	})
}

// store stores an offset, which the client refuses where it stores them itself.
func (a *consumerAuthor) store(t *rapid.T) {
	if !a.assigned || a.channel {
		t.SkipNow()
	}
	i := a.drawPartition(t, func(l *partitionLog) bool { return l.active })
	l := &a.logs[i]
	code := kafka.ErrInvalidArg
	if rapid.Bool().Draw(t, "StoreMessage") {
		if !a.stores {
			l.stored, code = l.position, kafka.ErrNoError
		}
		a.write(fmt.Sprintf("store the last message of partition %d", i), func(p *consumerPlayer) {
			offsets, err := p.client.StoreMessage(p.last[i])
			p.see("%s", p.list(offsets))
			p.answered(err, code)
		})
		return
	}
	n := rapid.IntRange(0, len(l.messages)).Draw(t, "offset")
	if !a.stores {
		l.stored, code = n, kafka.ErrNoError
	}
	a.write(fmt.Sprintf("store %d in partition %d", n, i), func(p *consumerPlayer) {
		tps := p.at(i)
		tps[0].Offset = kafka.Offset(n)
		offsets, err := p.client.StoreOffsets(tps)
		p.see("%s", p.list(offsets))
		p.answered(err, code)
	})
}

// ask asks the client for something, which changes nothing.
func (a *consumerAuthor) ask(t *rapid.T) {
	what := rapid.SampledFrom([]string{"committed", "position", "assignment", "subscription", "watermarks"}).Draw(t, "question")
	if a.down && (what == "committed" || what == "watermarks") || what == "position" && (a.channel || !a.assigned) {
		t.SkipNow()
	}
	logs := append([]partitionLog(nil), a.logs...)
	a.write(what, func(p *consumerPlayer) { p.ask(what, logs) })
}

// brokerDown makes the broker unreachable, once everything has been received.
func (a *consumerAuthor) brokerDown(t *rapid.T) {
	if !a.outage || a.down || a.dueInAll() > 0 || rapid.IntRange(0, 2).Draw(t, "down") > 0 {
		t.SkipNow()
	}
	a.down = true
	a.write("broker down", func(p *consumerPlayer) { p.setBroker(p.cluster.mock.SetBrokerDown) })
}

// brokerUp makes it reachable again.
func (a *consumerAuthor) brokerUp(t *rapid.T) {
	if !a.down {
		t.SkipNow()
	}
	a.down = false
	a.write("broker up", func(p *consumerPlayer) { p.setBroker(p.cluster.mock.SetBrokerUp) })
}

// end closes the consumer and calls what may be called afterwards.
func (a *consumerAuthor) end(t *rapid.T) {
	if a.down {
		a.brokerUp(t)
	}
	var left []*content
	first := 0
	if a.channel && a.assigned {
		first = a.logs[0].next
		left = a.logs[0].due()
	}
	logs := append([]partitionLog(nil), a.logs...)
	certain := true
	for i := range logs {
		l := &logs[i]
		if !a.commits {
			break
		}
		if l.stored >= 0 && l.stored < l.committed {
			certain = false // as for Commit
		}
		if a.stores && a.flows(i) && len(l.due()) > 0 {
			// The client's Close polls, and drops what it gets. What it stores by itself it commits nonetheless.
			certain = false
		}
		l.committed = max(l.stored, l.committed)
	}
	a.write("close", func(p *consumerPlayer) { p.close(first, left) })
	a.write("call when closed", func(p *consumerPlayer) { p.callClosed() })
	if certain {
		a.write("look at the group", func(p *consumerPlayer) { p.checkCommitted(logs) })
	}
	a.write("look at spans", func(p *consumerPlayer) { p.checkSpans() })
}
