package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// ask asks the client for something, which changes nothing.
func (a *producerAuthor) ask(t *rapid.T) {
	questions := map[string]func(*rapid.T){
		"Len": a.length, "Flush": a.flushIdle, "watermarks": a.watermarks, "fatal error": a.getFatalError,
	}
	questions[rapid.SampledFrom([]string{"Len", "Flush", "watermarks", "fatal error"}).Draw(t, "question")](t)
}

// flushIdle flushes with timeouts that leave no time.
func (a *producerAuthor) flushIdle(t *rapid.T) {
	if !a.sharesCluster() || !a.idle() {
		t.SkipNow()
	}
	timeout := rapid.SampledFrom([]int{0, -1, 1}).Draw(t, "timeout")
	unread := len(a.channels[0].waiting)
	a.write(fmt.Sprintf("flush within %d ms, %d unread", timeout, unread), func(p *producerPlayer) {
		n := p.client.Flush(timeout)
		p.see("%d", n)
		if n != unread {
			p.fault("%d, not %d", n, unread)
		}
	})
}

// length asks for what is outstanding.
func (a *producerAuthor) length(t *rapid.T) {
	if !a.sharesCluster() || !a.settled || len(a.coming) > 0 {
		t.SkipNow()
	}
	n := len(a.channels[0].waiting) + len(a.queued)
	a.write("len", func(p *producerPlayer) {
		got := p.client.Len()
		p.see("%d", got)
		if got != n {
			p.fault("%d, not %d", got, n)
		}
	})
}

// watermarks asks the broker what it has.
func (a *producerAuthor) watermarks(t *rapid.T) {
	if a.down || !a.idle() || a.noAcks || a.scattered {
		t.SkipNow()
	}
	next := append([]kafka.Offset(nil), a.next...)
	a.write("watermarks", func(p *producerPlayer) { p.watermarks(next) })
}

// getFatalError asks for a fatal error.
func (a *producerAuthor) getFatalError(*rapid.T) {
	fatal := a.fatal
	a.write("get fatal error", func(p *producerPlayer) {
		err := p.client.GetFatalError()
		p.see("%s", describe(err))
		if (err != nil) != fatal {
			p.fault("%v", err)
		}
	})
}
