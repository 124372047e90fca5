package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// producerAuthor writes a script for a producer. Its actions are the calls that a script is made of; each
// draws what the model says has one outcome, or skips.
type producerAuthor struct {
	*producerModel
	steps []step[*producerPlayer]
}

// invalid is what is wrong with a message that the client refuses.
type invalid string

const (
	valid             invalid = ""
	nilMessage        invalid = "nil message"
	nilTopic          invalid = "nil topic"
	emptyTopic        invalid = "empty topic"
	longTopic         invalid = "long topic" // the raw client panics
	negativePartition invalid = "negative partition"
	noSuchPartition   invalid = "no such partition"
	tooLarge          invalid = "too large"
)

var refusals = map[invalid]kafka.ErrorCode{
	nilMessage:        kafka.ErrInvalidArg,
	nilTopic:          kafka.ErrInvalidArg,
	emptyTopic:        kafka.ErrInvalidArg,
	longTopic:         kafka.ErrInvalidArg,
	negativePartition: kafka.ErrUnknownPartition,
	noSuchPartition:   kafka.ErrUnknownPartition,
	tooLarge:          kafka.ErrMsgSizeTooLarge,
}

// writeProducerScript draws the calls of a script, up to its end.
func writeProducerScript(t *rapid.T, c producerConfig) *producerAuthor {
	a := &producerAuthor{producerModel: newProducerModel(c)}
	a.write("connect", func(p *producerPlayer) { p.connect() })
	if c.timesOut {
		a.writeDown()
	}
	t.Repeat(map[string]func(*rapid.T){
		"produce":              a.produce,
		"produce more":         a.produce,
		"produce invalid":      a.produceInvalid,
		"produce after fatal":  a.produceAfterFatal,
		"send through channel": a.sendThroughChannel,
		"send invalid":         a.sendInvalidThroughChannel,
		"read":                 a.readReports,
		"read more":            a.readReports,
		"settle":               a.settleDown,
		"flush":                a.flush,
		"replace channel":      a.replaceChannel,
		"purge":                a.purge,
		"ask":                  a.ask,
		"raise fatal":          a.raiseFatal,
		"broker down":          a.brokerDown,
		"broker up":            a.brokerUp,
	})
	a.end(t)
	return a
}

func (a *producerAuthor) write(name string, run func(*producerPlayer)) {
	a.steps = append(a.steps, step[*producerPlayer]{name, run})
}

// draw draws a message for a channel.
func (a *producerAuthor) draw(t *rapid.T, channel int, through bool) *attempt {
	asBatch := through && a.batch // the client drops timestamp, headers and Opaque
	at := &attempt{kinds: drawKinds(t, asBatch), channel: channel, through: through}
	at.content = at.kinds.content(len(a.attempts))
	at.partition = int32(rapid.IntRange(0, a.partitions-1).Draw(t, "partition"))
	if a.scattered || asBatch || a.partitions == 1 && rapid.Bool().Draw(t, "any partition") {
		at.partition = kafka.PartitionAny
	}
	// A report must tell its message's number as well: the client may be free in the order.
	opaques := []string{"number", "pointer", "slice"}
	if at.tells() && a.reports("value") {
		opaques = append(opaques, "nil")
	}
	at.opaque = rapid.SampledFrom(opaques).Draw(t, "opaque")
	at.scribble = !through && rapid.Bool().Draw(t, "scribble")
	at.silent = a.reportsOff && channel == 0
	return at
}

// drawSome draws one or several messages of the same kind.
func (a *producerAuthor) drawSome(t *rapid.T, channel int, through bool) (some []*attempt) {
	first := a.draw(t, channel, through)
	for i := range rapid.SampledFrom([]int{1, 1, 2, 3, 5, 70}).Draw(t, "messages") {
		if !a.ordered() && a.room(channel) <= i {
			break
		}
		next := *first
		next.content = first.kinds.content(len(a.attempts) + i)
		some = append(some, &next)
	}
	return some
}

// produce hands a few messages over, for one channel.
func (a *producerAuthor) produce(t *rapid.T) {
	if a.through || a.fatal || a.stirred {
		t.SkipNow()
	}
	channel := rapid.IntRange(0, len(a.channels)-1).Draw(t, "channel")
	if a.reportsOff && a.class >= 0 && (a.class == 0) != (channel == 0) {
		t.SkipNow() // The client loses reports when they are mixed.
	}
	if a.queue > 0 && (!a.settled || len(a.coming) > 0) {
		t.SkipNow() // When the queue has room again is not known.
	}
	some := a.drawSome(t, channel, false)
	if before := a.last(); before != nil && rapid.IntRange(0, 4).Draw(t, "again") == 0 && len(some) > 0 {
		again := *before
		again.again, again.channel, again.silent = before, channel, some[0].silent
		some = []*attempt{&again}
	}
	for _, at := range some {
		at.code = kafka.ErrNoError
		if a.queue > 0 && len(a.queued) >= a.queue {
			at.code = kafka.ErrQueueFull
		}
		a.enter(at)
	}
	a.class = channel
	a.writeHand(some)
}

// last is the last message, if it may be handed over again.
func (a *producerAuthor) last() *attempt {
	if len(a.attempts) == 0 {
		return nil
	}
	last := a.attempts[len(a.attempts)-1]
	if last.invalid != valid || last.scribble || last.through {
		return nil
	}
	return last
}

// enter takes a message that is handed over into account.
func (a *producerAuthor) enter(at *attempt) {
	a.attempts = append(a.attempts, at)
	if at.code == kafka.ErrNoError {
		a.accept(at)
	}
}

// writeHand writes the calls that hand messages over, all in the same way.
func (a *producerAuthor) writeHand(some []*attempt) {
	if len(some) == 0 {
		return
	}
	first := some[0]
	what := fmt.Sprintf("produce %v to channel %d", first, first.channel)
	if first.through {
		what = fmt.Sprintf("send %v through ProduceChannel", first)
	}
	if len(some) > 1 {
		what += fmt.Sprintf(", and %d more", len(some)-1)
	}
	a.write(what, func(p *producerPlayer) {
		for _, at := range some {
			p.hand(at)
		}
	})
}

// enterAndHand is both for one message.
func (a *producerAuthor) enterAndHand(at *attempt) {
	a.enter(at)
	a.writeHand([]*attempt{at})
}

// produceInvalid hands over what the client refuses.
func (a *producerAuthor) produceInvalid(t *rapid.T) {
	if a.through || a.fatal || a.queue > 0 && (!a.settled || len(a.coming) > 0 || len(a.queued) >= a.queue) {
		t.SkipNow()
	}
	kinds := []invalid{nilMessage, nilTopic, emptyTopic, longTopic, negativePartition, noSuchPartition, tooLarge}
	at := a.draw(t, rapid.IntRange(0, len(a.channels)-1).Draw(t, "channel"), false)
	at.invalid = rapid.SampledFrom(kinds).Draw(t, "invalid")
	at.code = refusals[at.invalid]
	a.enterAndHand(at)
}

// sendThroughChannel hands messages over through ProduceChannel. Only from rest, and alone until the next rest: how
// they mix with those of Produce is up to the scheduler.
func (a *producerAuthor) sendThroughChannel(t *rapid.T) {
	if !a.idle() && !a.through || a.fatal || a.lingers || a.outage || a.timesOut {
		t.SkipNow()
	}
	some := a.drawSome(t, 0, true)
	for _, at := range some {
		a.enter(at)
	}
	a.class = 0
	a.writeHand(some)
}

// sendInvalidThroughChannel sends a message that comes back on Events().
func (a *producerAuthor) sendInvalidThroughChannel(t *rapid.T) {
	if !a.idle() || a.fatal || a.batch || a.lingers || a.outage || a.timesOut || a.room(0) < 1 {
		t.SkipNow()
	}
	at := a.draw(t, 0, true)
	at.invalid = rapid.SampledFrom([]invalid{nilTopic, emptyTopic, negativePartition, noSuchPartition, tooLarge}).Draw(t, "invalid")
	at.code, at.silent = refusals[at.invalid], false
	a.enterAndHand(at)
	a.coming = append(a.coming, at)
	a.settled, a.through = false, true
	a.flow()
	a.writeSettle()
}

// readReports reads reports from a channel.
func (a *producerAuthor) readReports(t *rapid.T) {
	i := rapid.IntRange(0, len(a.channels)-1).Draw(t, "channel")
	least, most := a.readable(i)
	if most == 0 {
		t.SkipNow()
	}
	a.writeRead(i, rapid.IntRange(least, most).Draw(t, "reports"))
}

func (a *producerAuthor) writeRead(i, n int) {
	ordered := a.ordered() && !a.channels[i].loose
	want := make([]*attempt, n)
	for k := range want {
		want[k], _ = a.read(i)
	}
	a.write(fmt.Sprintf("read %d of channel %d", n, i), func(p *producerPlayer) { p.read(i, want, ordered) })
}
