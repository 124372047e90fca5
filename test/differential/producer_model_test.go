package differential

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// outcome is what becomes of a message that is handed to the producer.
type outcome int

const (
	refused   outcome = iota // by an error of the call, or given back by ProduceChannel
	pending                  // not known when the producer is closed
	delivered                // acknowledged by the broker
	purged
	timedOut
)

// attempt is a message that the script hands to the producer.
type attempt struct {
	content
	kinds     kinds
	again     *attempt // it is this one's message once more
	invalid   invalid
	partition int32
	opaque    string
	channel   int  // where its report goes; 0 is Events()
	through   bool // handed over through ProduceChannel
	scribble  bool // the application reuses its memory at once

	code    kafka.ErrorCode // of the refusal; none if it was accepted
	outcome outcome
	silent  bool // no report is to come
	at      int32
	offset  kafka.Offset
}

// unknown is a partition or an offset that the script does not determine.
const unknown = -12345

// origin is the attempt whose message this one hands over.
func (a *attempt) origin() *attempt {
	for a.again != nil {
		a = a.again
	}
	return a
}

func (a *attempt) String() string {
	if a.invalid == nilMessage {
		return string(nilMessage)
	}
	what := fmt.Sprintf("#%d to partition %d", a.n, a.partition)
	if a.again != nil {
		what += " again"
	}
	if a.invalid != valid {
		what += ", " + string(a.invalid)
	}
	if a.scribble {
		what += ", scribbled on"
	}
	return fmt.Sprintf("%s, opaque %s, key %s, value %.20s, headers %.40s", what, a.opaque, quote(a.key), quote(a.value), quoteHeaders(a.sent()))
}

// deliveryChannel is what the model knows of a channel that receives reports.
type deliveryChannel struct {
	capacity int
	waiting  []*attempt // reports in it, or about to be; the order is theirs unless loose
	loose    bool       // the client was free in their order
}

// producerModel keeps account of what a producer owes.
type producerModel struct {
	producerConfig

	attempts []*attempt
	next     []kafka.Offset // the offset of a partition's next message
	channels []deliveryChannel

	queued []*attempt // accepted and not sent, in order
	coming []*attempt // reports that wait for room in their channel, in order

	settled bool // what is not queued is known to have arrived where it goes, as far as there is room
	through bool // messages have gone through ProduceChannel since
	class   int  // with reports off: the channel of the messages since (0: nowhere); -1: there are none
	stirred bool // with messages that linger: a Flush had to wait, and may go on in the background for a while
	down    bool // the broker is
	fatal   bool // the client has raised a fatal error
}

func newProducerModel(c producerConfig) *producerModel {
	m := &producerModel{producerConfig: c, settled: true, class: -1, next: make([]kafka.Offset, c.partitions)}
	for _, capacity := range c.capacities {
		m.channels = append(m.channels, deliveryChannel{capacity: capacity})
	}
	return m
}

// ordered reports whether all reports come in the order of production, also across channels.
func (m *producerModel) ordered() bool { return m.partitions == 1 }

// room returns how many reports channel i is sure to have room for, with all that is under way.
func (m *producerModel) room(i int) int {
	return m.channels[i].capacity - m.owed(i)
}

// fits reports whether everything that is queued has room: a Flush would hang otherwise.
func (m *producerModel) fits() bool {
	for i := range m.channels {
		if m.room(i) < 0 {
			return false
		}
	}
	return true
}

// accept takes a message that the producer has not refused.
func (m *producerModel) accept(a *attempt) {
	a.outcome = pending
	a.at = a.partition
	if m.partitions == 1 {
		a.at = 0
	} else if m.scattered {
		a.at = unknown
	}
	m.queued = append(m.queued, a)
	if a.through {
		m.through = true
	}
	switch {
	case m.timesOut:
		m.conclude(timedOut)
	case !m.lingers && !m.down:
		m.conclude(delivered)
	}
}

// conclude gives all that is queued its outcome.
func (m *producerModel) conclude(o outcome) {
	for _, a := range m.queued {
		a.outcome = o
		a.offset = kafka.OffsetInvalid
		if o == delivered && !m.scattered {
			if !m.noAcks {
				a.offset = m.next[a.at]
			}
			m.next[a.at]++
		}
		a.silent = a.silent || o == delivered && m.onlyErrors
		if !a.silent {
			m.coming = append(m.coming, a)
		}
		m.settled = false
	}
	m.queued = nil
	m.flow()
}

// flow moves reports to where they go, until one has no room: that one stops all that are behind it.
func (m *producerModel) flow() {
	for len(m.coming) > 0 {
		a := m.coming[0]
		ch := &m.channels[a.channel]
		if len(ch.waiting) >= ch.capacity {
			return
		}
		ch.waiting = append(ch.waiting, a)
		m.coming = m.coming[1:]
		m.settled = false
	}
}

// readable returns how many reports of channel i may be read, at least and at most. Those that the client was free to
// order are read together.
func (m *producerModel) readable(i int) (least, most int) {
	ch := m.channels[i]
	if ch.loose || !m.ordered() {
		return len(ch.waiting), len(ch.waiting)
	}
	// What stops the others goes on as soon as there is room, one by one.
	probe := *m
	probe.channels = append([]deliveryChannel(nil), m.channels...)
	for {
		if _, ok := probe.read(i); !ok {
			return min(1, most), most
		}
		most++
	}
}

// read takes the next report out of channel i.
func (m *producerModel) read(i int) (a *attempt, ok bool) {
	ch := &m.channels[i]
	switch {
	case len(ch.waiting) > 0:
		a, ch.waiting = ch.waiting[0], ch.waiting[1:]
	case len(m.coming) > 0 && m.coming[0].channel == i: // without a buffer
		a, m.coming = m.coming[0], m.coming[1:]
		m.settled = false
	default:
		return nil, false
	}
	if len(ch.waiting) == 0 {
		ch.loose = false
	}
	m.flow()
	return a, true
}

// settle is what a player's settle waits for.
func (m *producerModel) settle() {
	m.settled, m.through, m.class = true, false, -1
}

// idle reports whether nothing is under way, and that is known.
func (m *producerModel) idle() bool {
	return m.arrived() && len(m.queued) == 0 && len(m.coming) == 0
}

// arrived reports whether what is not queued, and has room, is known to be where it goes. Where the client's own events
// are among the reports in Events() their number says nothing.
func (m *producerModel) arrived() bool {
	return m.settled && (m.sharesCluster() || len(m.channels[0].waiting) == 0)
}

// flushed is after a Flush: the client has been free in the order of what it still had.
func (m *producerModel) flushed() {
	m.stirred = m.stirred || m.lingers && (len(m.queued) > 0 || !m.settled)
	m.conclude(delivered)
	if !m.settled {
		m.loosen()
	}
	m.settle()
}

// purgeQueue is after a Purge, which reports in no order.
func (m *producerModel) purgeQueue() {
	if len(m.queued) > 0 {
		m.conclude(purged)
		m.loosen()
	}
}

// loosen forgets the order of what is in the channels.
func (m *producerModel) loosen() {
	for i := range m.channels {
		m.channels[i].loose = len(m.channels[i].waiting) > 0
	}
}

// onTheWire returns how many messages the broker has.
func (m *producerModel) onTheWire() int {
	n := 0
	for _, a := range m.attempts {
		if a.outcome == delivered {
			n++
		}
	}
	return n
}

// lens are the lengths of the channels once everything has arrived.
func (m *producerModel) lens() []int {
	lens := make([]int, len(m.channels))
	for i, ch := range m.channels {
		lens[i] = len(ch.waiting)
	}
	return lens
}

// owed returns how many reports are in channel i, or on the way there.
func (m *producerModel) owed(i int) int {
	n := len(m.channels[i].waiting)
	for _, list := range [][]*attempt{m.queued, m.coming} {
		for _, a := range list {
			if a.channel == i && !a.silent {
				n++
			}
		}
	}
	return n
}
