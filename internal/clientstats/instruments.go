package clientstats

// Kind is what a value is: a counter's only grows, as long as the client lives.
type Kind string

// The kinds.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
)

// Attributes that OpenTelemetry's conventions do not have.
const (
	// ClientName tells clients of one process apart also if they have the same
	// client.id.
	ClientName = "kafka.client.name"
	BrokerName = "kafka.broker.name"
	BrokerID   = "kafka.broker.id"

	connectionState = "kafka.connection.state"
	groupState      = "kafka.group.state"
)

// Instrument is an instrument over a client, a broker or a partition.
type Instrument[T any] struct {
	Name        string
	Kind        Kind
	Unit        string
	Of          Role
	Description string

	// Value reads the value; PerUnit of it are one Unit, if that is not 0. A
	// value below 0 is librdkafka's way to say that it does not know.
	Value   func(*T) Number
	PerUnit float64

	// States, in the place of Value, makes one series for each of some states:
	// 1 for the one that is, 0 for the others.
	States *States[T]
}

// States are the states that an instrument tells. State returns one of Values,
// or "" if it is not known.
type States[T any] struct {
	Attribute string
	Values    []string
	State     func(*T) string
}

const perSecond = 1_000_000 // librdkafka's unit of latencies is the microsecond

// ClientInstruments are those with one series for each client.
var ClientInstruments = []Instrument[Client]{
	{
		Name: "kafka.client.statistics.timestamp", Kind: Gauge, Unit: "s", Of: Producer | Consumer,
		Description: "When the client took the statistics that all kafka.client metrics are made of, in seconds since 1970-01-01 UTC. It stands still while a consumer is not polled.",
		Value:       func(c *Client) Number { return c.Time },
	},
	{
		Name: "kafka.client.queue.messages", Kind: Gauge, Unit: "{message}", Of: Producer | Consumer,
		Description: "Messages waiting in the client: of a producer for their delivery, of a consumer, fetched ahead, for the application.",
		Value:       func(c *Client) Number { return c.QueueMessages },
	},
	{
		Name: "kafka.client.queue.bytes", Kind: Gauge, Unit: "By", Of: Producer | Consumer,
		Description: "Size of the messages waiting in the client.",
		Value:       func(c *Client) Number { return c.QueueBytes },
	},
	{
		Name: "kafka.client.sent.messages", Kind: Counter, Unit: "{message}", Of: Producer,
		Description: "Messages sent to brokers, again for each time that one is sent again.",
		Value:       func(c *Client) Number { return c.SentMessages },
	},
	{
		Name: "kafka.client.sent.bytes", Kind: Counter, Unit: "By", Of: Producer,
		Description: "Size of the messages sent to brokers.",
		Value:       func(c *Client) Number { return c.SentBytes },
	},
	{
		Name: "kafka.client.received.messages", Kind: Counter, Unit: "{message}", Of: Consumer,
		Description: "Messages received from brokers, those that wait for the application included.",
		Value:       func(c *Client) Number { return c.ReceivedMessages },
	},
	{
		Name: "kafka.client.received.bytes", Kind: Counter, Unit: "By", Of: Consumer,
		Description: "Size of the messages received from brokers.",
		Value:       func(c *Client) Number { return c.ReceivedBytes },
	},
	{
		Name: "kafka.client.consumer.partitions", Kind: Gauge, Unit: "{partition}", Of: Consumer,
		Description: "Partitions assigned to the consumer.",
		Value:       func(c *Client) Number { return c.AssignedPartitions },
	},
	{
		Name: "kafka.client.consumer.rebalances", Kind: Counter, Unit: "{rebalance}", Of: Consumer,
		Description: "Rebalances; an assignment and a revocation count as one each.",
		Value:       func(c *Client) Number { return c.Group.Rebalances },
	},
	{
		Name: "kafka.client.consumer.group.state", Kind: Gauge, Unit: "1", Of: Consumer,
		Description: "1 for the consumer's state in its group, 0 for the others: no_coordinator, not_joined (also after Assign), rebalancing, steady.",
		States: &States[Client]{
			Attribute: groupState,
			Values:    []string{"no_coordinator", "not_joined", "rebalancing", "steady"},
			State:     (*Client).groupState,
		},
	},
}

// BrokerInstruments are those with one series for each client and connection.
var BrokerInstruments = []Instrument[Broker]{
	{
		Name: "kafka.client.broker.connection.state", Kind: Gauge, Unit: "1", Of: Producer | Consumer,
		Description: "1 for the connection's state, 0 for the others: init (not connected: not needed so far, or between two attempts), connecting, up, down (just lost).",
		States: &States[Broker]{
			Attribute: connectionState,
			Values:    []string{"init", "connecting", "up", "down"},
			State:     (*Broker).connectionState,
		},
	},
	{
		Name: "kafka.client.broker.connects", Kind: Counter, Unit: "{connection}", Of: Producer | Consumer,
		Description: "Attempts to connect, failed ones included.",
		Value:       func(b *Broker) Number { return b.Connects },
	},
	{
		Name: "kafka.client.broker.disconnects", Kind: Counter, Unit: "{connection}", Of: Producer | Consumer,
		Description: "Connections lost or closed, by the broker, the network or the client.",
		Value:       func(b *Broker) Number { return b.Disconnects },
	},
	{
		Name: "kafka.client.broker.requests", Kind: Counter, Unit: "{request}", Of: Producer | Consumer,
		Description: "Requests sent.",
		Value:       func(b *Broker) Number { return b.Requests },
	},
	{
		Name: "kafka.client.broker.retries", Kind: Counter, Unit: "{request}", Of: Producer | Consumer,
		Description: "Requests that were sent again.",
		Value:       func(b *Broker) Number { return b.Retries },
	},
	{
		Name: "kafka.client.broker.timeouts", Kind: Counter, Unit: "{request}", Of: Producer | Consumer,
		Description: "Requests that were not answered in time.",
		Value:       func(b *Broker) Number { return b.Timeouts },
	},
	{
		Name: "kafka.client.broker.errors", Kind: Counter, Unit: "{error}", Of: Producer | Consumer,
		Description: "Errors in sending requests and in receiving responses.",
		Value:       (*Broker).errors,
	},
	{
		Name: "kafka.client.broker.sent.bytes", Kind: Counter, Unit: "By", Of: Producer | Consumer,
		Description: "Bytes sent to the broker, requests as a whole.",
		Value:       func(b *Broker) Number { return b.Sent },
	},
	{
		Name: "kafka.client.broker.received.bytes", Kind: Counter, Unit: "By", Of: Producer | Consumer,
		Description: "Bytes received from the broker, responses as a whole.",
		Value:       func(b *Broker) Number { return b.Received },
	},
	{
		Name: "kafka.client.broker.requests_queued", Kind: Gauge, Unit: "{request}", Of: Producer | Consumer,
		Description: "Requests waiting to be sent.",
		Value:       func(b *Broker) Number { return b.Queued },
	},
	{
		Name: "kafka.client.broker.requests_in_flight", Kind: Gauge, Unit: "{request}", Of: Producer | Consumer,
		Description: "Requests sent and not yet answered.",
		Value:       func(b *Broker) Number { return b.InFlight },
	},
	{
		Name: "kafka.client.broker.rtt.avg", Kind: Gauge, Unit: "s", Of: Producer | Consumer,
		Description: "Mean round-trip time of the requests answered in the last statistics interval; absent if there were none, as is the rest of rtt.",
		Value:       func(b *Broker) Number { return b.RTT.known(b.RTT.Avg) }, PerUnit: perSecond,
	},
	{
		Name: "kafka.client.broker.rtt.p50", Kind: Gauge, Unit: "s", Of: Producer | Consumer,
		Description: "Median of the round-trip times.",
		Value:       func(b *Broker) Number { return b.RTT.known(b.RTT.P50) }, PerUnit: perSecond,
	},
	{
		Name: "kafka.client.broker.rtt.p95", Kind: Gauge, Unit: "s", Of: Producer | Consumer,
		Description: "95th percentile of the round-trip times.",
		Value:       func(b *Broker) Number { return b.RTT.known(b.RTT.P95) }, PerUnit: perSecond,
	},
	{
		Name: "kafka.client.broker.rtt.p99", Kind: Gauge, Unit: "s", Of: Producer | Consumer,
		Description: "99th percentile of the round-trip times.",
		Value:       func(b *Broker) Number { return b.RTT.known(b.RTT.P99) }, PerUnit: perSecond,
	},
}

// PartitionInstruments are those with one series for each consumer and partition
// assigned to it.
var PartitionInstruments = []Instrument[Partition]{
	{
		Name: "kafka.client.consumer.lag", Kind: Gauge, Unit: "{message}", Of: Consumer,
		Description: "Offsets from the committed one to the end of the partition; while none is committed, from the consumer's position. With isolation.level=read_committed, the default, the end is before the first open transaction.",
		Value:       (*Partition).lag,
	},
	{
		Name: "kafka.client.consumer.committed_offset", Kind: Gauge, Unit: "{offset}", Of: Consumer,
		Description: "Offset that the group has committed, as far as this consumer knows.",
		Value:       func(p *Partition) Number { return p.Committed },
	},
	{
		Name: "kafka.client.consumer.stored_offset", Kind: Gauge, Unit: "{offset}", Of: Consumer,
		Description: "Offset stored to be committed next.",
		Value:       func(p *Partition) Number { return p.Stored },
	},
	{
		Name: "kafka.client.consumer.consumed_offset", Kind: Gauge, Unit: "{offset}", Of: Consumer,
		Description: "Offset after the last message handed to the application.",
		Value:       func(p *Partition) Number { return p.Consumed },
	},
	{
		Name: "kafka.client.consumer.high_watermark", Kind: Gauge, Unit: "{offset}", Of: Consumer,
		Description: "Offset of the next message to be written to the partition, as of the last fetch.",
		Value:       func(p *Partition) Number { return p.HighWatermark },
	},
}

// groupState folds the states of librdkafka, of which it gets more with each
// version, into those that someone acts on.
func (c *Client) groupState() string {
	switch g := c.Group; {
	case g.State == "" || g.JoinState == "":
		return ""
	case g.State != "up":
		return "no_coordinator"
	case g.JoinState == "init":
		return "not_joined"
	case g.JoinState == "steady":
		return "steady"
	default:
		return "rebalancing"
	}
}

// connectionState folds the states of librdkafka likewise.
func (b *Broker) connectionState() string {
	switch b.State {
	case "":
		return ""
	case "INIT":
		return "init"
	case "DOWN":
		return "down"
	case "UP", "UPDATE", "REAUTH":
		return "up"
	default: // connecting proper, TLS, authentication, version query
		return "connecting"
	}
}

func (b *Broker) errors() Number {
	return Number{
		Value: b.SendErrors.Value + b.ReadErrors.Value,
		Known: b.SendErrors.Known && b.ReadErrors.Known,
	}
}

// known returns n unless the window is empty, when librdkafka says 0.
func (w *Window) known(n Number) Number {
	n.Known = n.Known && w.Count.Known && w.Count.Value > 0
	return n
}

// lag is librdkafka's own where it has one: it knows the isolation level.
func (p *Partition) lag() Number {
	for _, lag := range []Number{p.CommittedLag, p.StoredLag} {
		if lag.Known && lag.Value >= 0 {
			return lag
		}
	}
	// Nothing committed and nothing consumed so far. With nothing fetched ahead
	// the position is where the next fetch begins.
	if p.FetchState != "active" || p.QueueMessages != (Number{Known: true}) || !p.NextFetch.Known {
		return Number{}
	}
	end := p.LastStable
	if !end.Known || end.Value < 0 {
		end = p.HighWatermark
	}
	if !end.Known || end.Value < 0 || p.NextFetch.Value < 0 {
		return Number{}
	}
	return Number{Value: max(0, end.Value-p.NextFetch.Value), Known: true}
}
