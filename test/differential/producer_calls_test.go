package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// settleDown waits until everything is where it goes.
func (a *producerAuthor) settleDown(t *rapid.T) {
	if a.settled {
		t.SkipNow()
	}
	a.writeSettle()
}

func (a *producerAuthor) writeSettle() {
	a.settle()
	lens := a.lens()
	// What has no report yet, or none at all, is known by its being on the wire.
	wire := -1
	if (a.reportsOff || a.onlyErrors || len(a.coming) > 0) && !a.down {
		wire = a.onTheWire()
	}
	// After an outage the client may count requests that were lost; what waits for room it counts by the batch.
	outstanding := -1
	if a.sharesCluster() && len(a.coming) == 0 {
		outstanding = lens[0] + len(a.queued)
	}
	a.write("settle", func(p *producerPlayer) { p.settle(lens, wire, outstanding) })
}

// flush flushes when everything has room; otherwise the raw client hangs.
func (a *producerAuthor) flush(t *rapid.T) {
	if a.lingers && rapid.IntRange(0, 3).Draw(t, "linger on") > 0 {
		t.SkipNow()
	}
	if !a.sharesCluster() || a.through || !a.fits() {
		t.SkipNow()
	}
	a.writeFlush()
}

func (a *producerAuthor) writeFlush() {
	a.flushed()
	lens := a.lens()
	a.write(fmt.Sprintf("flush, %d unread in Events()", lens[0]), func(p *producerPlayer) { p.flush(lens) })
}

// replaceChannel flushes to 0, closes one of the application's channels and makes another.
func (a *producerAuthor) replaceChannel(t *rapid.T) {
	if a.lingers && len(a.queued) > 0 || !a.sharesCluster() || a.through || !a.fits() || a.owed(0) > 0 {
		t.SkipNow()
	}
	i := rapid.IntRange(1, len(a.channels)-1).Draw(t, "channel")
	capacity := drawCapacity(t)
	a.writeFlush()
	want, ordered := a.channels[i].waiting, a.ordered() && !a.channels[i].loose
	a.channels[i] = deliveryChannel{capacity: capacity}
	a.write(fmt.Sprintf("close channel %d", i), func(p *producerPlayer) { p.replace(i, want, ordered, capacity) })
}

// purge purges what is in the queue; what is under way is at the mercy of timing.
func (a *producerAuthor) purge(t *rapid.T) {
	certain := a.lingers || a.down && a.outage || a.idle()
	if !certain || !a.fits() {
		t.SkipNow()
	}
	const nothing = 1234
	// Not PurgeNonBlocking, which may hit what is produced later.
	kinds := []int{kafka.PurgeQueue | kafka.PurgeInFlight, nothing}
	if a.lingers && a.settled { // nothing is in flight
		kinds = append(kinds, kafka.PurgeQueue, kafka.PurgeInFlight, 0)
	}
	flags := rapid.SampledFrom(kinds).Draw(t, "flags")
	var code kafka.ErrorCode
	switch {
	case flags == nothing:
		code = kafka.ErrInvalidArg
	case flags&kafka.PurgeQueue != 0:
		a.purgeQueue()
	}
	a.write(fmt.Sprintf("purge %d", flags), func(p *producerPlayer) { p.answered(p.client.Purge(flags), code) })
}

// raiseFatal raises a fatal error in an idempotent producer: nothing is accepted any more.
func (a *producerAuthor) raiseFatal(t *rapid.T) {
	if !a.idempotent || a.fatal || !a.idle() || len(a.channels[0].waiting) > 0 || rapid.IntRange(0, 3).Draw(t, "raise") > 0 {
		t.SkipNow()
	}
	a.fatal = true
	a.write("fatal error", func(p *producerPlayer) { p.raiseFatal() })
}

// produceAfterFatal is refused.
func (a *producerAuthor) produceAfterFatal(t *rapid.T) {
	if !a.fatal {
		t.SkipNow()
	}
	at := a.draw(t, rapid.IntRange(0, len(a.channels)-1).Draw(t, "channel"), false)
	at.code = kafka.ErrFatal
	a.enterAndHand(at)
}

// brokerDown makes the broker unreachable, when nothing is under way.
func (a *producerAuthor) brokerDown(t *rapid.T) {
	if !a.outage || a.down || !a.idle() || len(a.channels[0].waiting) > 0 {
		t.SkipNow()
	}
	a.writeDown()
}

func (a *producerAuthor) writeDown() {
	a.down = true
	a.write("broker down", func(p *producerPlayer) { p.brokerDown() })
}

// brokerUp makes it reachable again: what was queued is delivered.
func (a *producerAuthor) brokerUp(t *rapid.T) {
	if !a.outage || !a.down || !a.ordered() && !a.fits() {
		t.SkipNow()
	}
	a.down = false
	a.conclude(delivered)
	a.write("broker up", func(p *producerPlayer) { p.brokerUp() })
}
