package differential

// consumerModel keeps account of what a consumer is to receive.
type consumerModel struct {
	consumerConfig
	logs []partitionLog

	messages int  // in all partitions
	assigned bool // or subscribed
	down     bool // the broker is
}

// partitionLog is a partition and where the consumer is in it.
type partitionLog struct {
	messages []*content
	next     int  // the offset of the message to be received next
	active   bool // something has been received from it since it was assigned
	paused   bool
	ended    bool // its end has been told since

	position  int // after the last message; -1 if none was received
	stored    int // by the client or the application; -1 if none is
	committed int // -1 if none is
}

func newConsumerModel(c consumerConfig) *consumerModel {
	m := &consumerModel{consumerConfig: c, logs: make([]partitionLog, c.partitions)}
	for i := range m.logs {
		m.logs[i].position, m.logs[i].stored, m.logs[i].committed = -1, -1, -1
	}
	return m
}

// due are the messages of a partition that the consumer has yet to receive.
func (l *partitionLog) due() []*content { return l.messages[l.next:] }

// flows reports whether messages of partition i are received, if there are any.
func (m *consumerModel) flows(i int) bool { return m.assigned && !m.logs[i].paused }

// dueInAll returns how many messages are to be received.
func (m *consumerModel) dueInAll() int {
	n := 0
	for i := range m.logs {
		if m.flows(i) {
			n += len(m.logs[i].due())
		}
	}
	return n
}

// quiet reports whether a poll returns nothing.
func (m *consumerModel) quiet() bool {
	for i := range m.logs {
		if m.flows(i) && (len(m.logs[i].due()) > 0 || m.eof && !m.logs[i].ended) {
			return false
		}
	}
	return true
}

// receive takes the next n messages of partition i.
func (m *consumerModel) receive(i, n int) []*content {
	l := &m.logs[i]
	received := l.due()[:n]
	if n == 0 {
		return nil
	}
	l.next += n
	l.position, l.active = l.next, true
	if m.stores {
		l.stored = l.next
	}
	return received
}

// start is where partition i begins when it is assigned, or sought, at an offset.
func (m *consumerModel) start(i, offset int) {
	l := &m.logs[i]
	l.next, l.ended = offset, false
}

// assign begins with all partitions anew.
func (m *consumerModel) assign() {
	m.assigned = true
	for i := range m.logs {
		l := &m.logs[i]
		l.active, l.paused, l.stored, l.position = false, false, -1, -1
	}
}
