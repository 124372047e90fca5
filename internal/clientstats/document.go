// Package clientstats reads the statistics documents of librdkafka
// (github.com/confluentinc/librdkafka, STATISTICS.md), and holds the table of
// the instruments that are made of them: the tracing package registers it, and
// docs/metrics.md is generated from it.
package clientstats

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// Role is the kind of a client.
type Role uint8

// The roles. An instrument may be for both.
const (
	Producer Role = 1 << iota
	Consumer
)

// Number is a number of a document. librdkafka's versions differ in what they
// tell: what is missing, or not a whole number, is not known, and not 0.
type Number struct {
	Value int64
	Known bool
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails, so that one odd
// field does not cost the others.
func (n *Number) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseInt(string(text), 10, 64)
	*n = Number{Value: v, Known: err == nil}
	return nil
}

// Snapshot is one document, without what no instrument is made of.
type Snapshot struct {
	Client     Client
	Brokers    []Broker
	Partitions []Partition // of a consumer: those assigned to it
}

// Client is what a document says of the client as a whole.
type Client struct {
	Time             Number `json:"time"`
	QueueMessages    Number `json:"msg_cnt"`
	QueueBytes       Number `json:"msg_size"`
	SentMessages     Number `json:"txmsgs"`
	SentBytes        Number `json:"txmsg_bytes"`
	ReceivedMessages Number `json:"rxmsgs"`
	ReceivedBytes    Number `json:"rxmsg_bytes"`
	Group            Group  `json:"cgrp"`

	AssignedPartitions Number `json:"-"`
}

// Group is what a consumer's document says of its group.
type Group struct {
	State      string `json:"state"`
	JoinState  string `json:"join_state"`
	Rebalances Number `json:"rebalance_cnt"`
}

// Broker is what a document says of one connection. Besides the brokers of the
// cluster librdkafka has some for the bootstrap addresses, and logical ones for
// what a broker is asked as, such as GroupCoordinator; they have no broker id.
type Broker struct {
	Name        string `json:"-"`
	ID          Number `json:"nodeid"`
	Address     string `json:"nodename"`
	State       string `json:"state"`
	Requests    Number `json:"tx"`
	Retries     Number `json:"txretries"`
	Timeouts    Number `json:"req_timeouts"`
	SendErrors  Number `json:"txerrs"`
	ReadErrors  Number `json:"rxerrs"`
	Sent        Number `json:"txbytes"`
	Received    Number `json:"rxbytes"`
	Connects    Number `json:"connects"`
	Disconnects Number `json:"disconnects"`
	Queued      Number `json:"outbuf_cnt"`
	InFlight    Number `json:"waitresp_cnt"`
	RTT         Window `json:"rtt"`
}

// Window is a rolling window over one statistics interval, in microseconds.
type Window struct {
	Count Number `json:"cnt"`
	Avg   Number `json:"avg"`
	P50   Number `json:"p50"`
	P95   Number `json:"p95"`
	P99   Number `json:"p99"`
}

// Partition is what a consumer's document says of one partition. An offset below
// 0 is not known.
type Partition struct {
	Topic         string `json:"-"`
	ID            string `json:"-"`
	Desired       bool   `json:"desired"`
	FetchState    string `json:"fetch_state"`
	QueueMessages Number `json:"fetchq_cnt"`
	QueueBytes    Number `json:"fetchq_size"`
	NextFetch     Number `json:"next_offset"`
	Consumed      Number `json:"app_offset"`
	Stored        Number `json:"stored_offset"`
	Committed     Number `json:"committed_offset"`
	HighWatermark Number `json:"hi_offset"`
	LastStable    Number `json:"ls_offset"`
	CommittedLag  Number `json:"consumer_lag"`
	StoredLag     Number `json:"consumer_lag_stored"`
}

type document struct {
	head
	Topics topics `json:"topics"`
}

// head is all that is wanted of a producer's document. That it has no topics saves
// reading thousands of partitions.
type head struct {
	Client
	Brokers map[string]*Broker `json:"brokers"`
}

type topics map[string]struct {
	Partitions map[string]*Partition `json:"partitions"`
}

var errNotAnObject = errors.New("the document is not an object")

// Parse reads a document. Fields that are unknown, missing or of a type that is
// not expected are passed over; an error means that nothing could be read.
func Parse(text []byte, role Role) (*Snapshot, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return nil, errNotAnObject
	}
	var d document
	var wanted any = &d
	if role == Producer {
		wanted = &d.head
	}
	if err := json.Unmarshal(text, wanted); err != nil {
		// What follows a value of an unexpected type has been read all the same.
		if wrong := (*json.UnmarshalTypeError)(nil); !errors.As(err, &wrong) {
			return nil, err
		}
	}
	s := &Snapshot{Client: d.Client, Brokers: make([]Broker, 0, len(d.Brokers))}
	for name, b := range d.Brokers {
		if b != nil && name != "" {
			b.Name = name
			s.Brokers = append(s.Brokers, *b)
		}
	}
	if role == Consumer {
		s.assigned(d.Topics)
	}
	return s, nil
}

// assigned takes the partitions that are assigned. librdkafka goes on reporting
// those that were revoked, with the lag of their last day, and has an internal
// partition -1.
func (s *Snapshot) assigned(topics topics) {
	messages, size := Number{Known: true}, Number{Known: true}
	for name, topic := range topics {
		for id, p := range topic.Partitions {
			if p == nil || !p.Desired || name == "" || !isPartition(id) {
				continue
			}
			p.Topic, p.ID = name, id
			s.Partitions = append(s.Partitions, *p)
			messages.Value += max(0, p.QueueMessages.Value)
			size.Value += max(0, p.QueueBytes.Value)
		}
	}
	s.Client.AssignedPartitions = Number{Value: int64(len(s.Partitions)), Known: true}
	// Of the client as a whole a consumer tells only the producer's queue.
	s.Client.QueueMessages, s.Client.QueueBytes = messages, size
}

// isPartition reports whether a key is a partition's number, in the one way in
// which it is written.
func isPartition(id string) bool {
	n, err := strconv.ParseUint(id, 10, 31)
	return err == nil && strconv.FormatUint(n, 10) == id
}
