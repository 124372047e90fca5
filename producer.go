package tracing

import (
	"context"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

var (
	_ kafka.Handle = (*TracedProducer)(nil)
	_ Producer     = (*TracedProducer)(nil)
	_ Producer     = (*kafka.Producer)(nil)
)

// TracedProducer is a [kafka.Producer] that traces every message it sends. It
// behaves as the producer it embeds, but that every message carries the context
// of its publish span in its headers; that span ends with the delivery report.
//
// All methods are safe for concurrent use, also while Close is called. The
// embedded producer is there for what takes one, such as
// kafka.NewAdminClientFromProducer(p.Producer). What is produced through it
// directly is not traced, and reading its Events() takes delivery reports away
// from this producer.
//
// Make one with [NewProducer] or [WrapProducer].
type TracedProducer struct {
	*kafka.Producer

	*instrumentation
	publish      *operation
	publishBatch *operation
	send         *operation
	transactions map[Operation]*operation

	events    chan kafka.Event // what the application sees as Events()
	envelopes envelopes
	held      atomic.Int64 // messages whose report has not been forwarded
	flushing  atomic.Bool  // the client's Flush is under way
	forwarder forwarder
	channel   channelProducer
	stats     *statistics

	gate    *gate
	closing chan struct{} // closed once closing has begun
	done    chan struct{} // closed once nothing of ours runs any more
}

// NewProducer makes a producer as [kafka.NewProducer] does, and traces it. The
// errors are those of kafka.NewProducer, and kafka.ErrInvalidArg for what would
// make it panic (a nil conf, a negative channel size). conf is not changed.
//
// Client id, server address, go.delivery.reports, delivery.report.only.error and
// go.batch.producer are read from conf. With go.batch.producer the client drops
// the headers and Opaque of what is sent through ProduceChannel: those messages
// carry no context, and their publish spans end when they are handed over.
func NewProducer(conf *kafka.ConfigMap, opts ...Option) (*TracedProducer, error) {
	own, err := cloneConfig(conf)
	if err != nil {
		return nil, err
	}
	c := newConfig(own, opts)
	if c.disabled {
		p, err := kafka.NewProducer(conf)
		if err != nil {
			return nil, err
		}
		return newProducer(p, c, 0, 0), nil
	}

	c.setStatisticsInterval(own)
	events := replaceSize(own, "go.events.channel.size", handOverSlots, 1_000_000)
	queue := 1_000_000
	if !c.batchProducer {
		// Ours is in front of it; in batches the client takes what waits there.
		queue = replaceSize(own, "go.produce.channel.size", 1, queue)
	} else if n, ok := own["go.produce.channel.size"].(int); ok {
		queue = n
	}
	if _, ok := own["go.delivery.reports"].(bool); ok {
		// The client drops reports that it owes us when messages with and
		// without a delivery channel are mixed while this is off. Those that
		// the application does not want are dropped by the forwarder.
		own["go.delivery.reports"] = true
	}
	if c.onlyErrors {
		// Likewise: a span ends with its report.
		own[onlyErrorsKey] = false
	}
	p, err := kafka.NewProducer(&own)
	if err != nil {
		return nil, err
	}
	t := newProducer(p, c, events, queue)
	return t, nil
}

// WrapProducer traces a producer that exists. From then on it belongs to the
// wrapper: produce, read Events() and close through the wrapper only, and wrap
// it once. p must not be nil.
//
// What p cannot tell is given by [WithClientID], [WithServerAddress],
// [WithDeliveryReports] and [WithBatchProducer]. A producer whose
// go.events.channel.size is under 64 costs more to trace. With
// delivery.report.only.error the client reports no success, and spans would end
// with Close only: NewProducer deals with that, WrapProducer cannot.
func WrapProducer(p *kafka.Producer, opts ...Option) *TracedProducer {
	if p == nil {
		panic("tracing: WrapProducer: nil producer")
	}
	return newProducer(p, newConfig(nil, opts), cap(p.Events()), cap(p.ProduceChannel()))
}

func newProducer(p *kafka.Producer, c *config, events, queue int) *TracedProducer {
	if c.clientID == "" {
		c.clientID = p.String()
	}
	t := &TracedProducer{
		Producer:        p,
		instrumentation: newInstrumentation(c),
		gate:            newGate(),
		closing:         make(chan struct{}),
		done:            make(chan struct{}),
	}
	t.publish = t.newOperation(OperationPublish)
	t.publishBatch = t.newOperation(OperationPublishBatch)
	t.send = t.newOperation(OperationSend)
	t.transactions = map[Operation]*operation{}
	for _, op := range []Operation{OperationInitTransactions, OperationSendOffsets, OperationCommitTransaction, OperationAbortTransaction} {
		t.transactions[op] = t.newOperation(op)
	}
	if c.disabled {
		t.events = p.Events()
		return t
	}
	t.events = make(chan kafka.Event, events)
	t.channel.size = queue
	t.stats = newStatistics(c, p, clientstats.Producer)
	t.forwarder.init(t)
	go t.forwarder.run()
	return t
}

// Events returns the channel of delivery reports, for messages produced without
// a delivery channel, and of other client events. It is closed by Close.
func (p *TracedProducer) Events() chan kafka.Event { return p.events }

// Produce sends a message as [kafka.Producer.Produce] does: it enqueues it and
// returns; the delivery report goes to deliveryChan, or to Events() if that is
// nil. The span's parent is the receive span of a consumed message that is being
// forwarded, else the context in the message's headers; else it is a root. See
// [TracedProducer.ProduceContext] for a context given by the caller.
//
// The errors are the client's own, untouched (queue full, invalid argument,
// closed), kafka.ErrInvalidArg where the client would panic (a topic name over 512
// bytes, a topic configuration that turns out invalid), and kafka.ErrState once
// Close has begun. msg is not changed, and may be sent again.
func (p *TracedProducer) Produce(msg *kafka.Message, deliveryChan chan kafka.Event) error {
	return p.ProduceContext(context.Background(), msg, deliveryChan)
}

// ProduceContext is Produce with the context of the publish span: its span is the
// parent, and its baggage travels with the message. A ctx without a span gives no
// parent, see [TracedProducer.Produce]; its baggage travels all the same. A nil
// ctx is one without either. The end of ctx has no effect, before or after: as the
// client's own call this one only enqueues.
// [TracedProducer.Send] waits, and minds ctx.
func (p *TracedProducer) ProduceContext(ctx context.Context, msg *kafka.Message, deliveryChan chan kafka.Event) error {
	if !p.gate.enter() {
		return errClosed()
	}
	defer p.gate.leave()
	if msg == nil || p.disabled {
		return p.produce(msg, deliveryChan)
	}
	pub := p.begin(ctx, msg, deliveryChan)
	if err := p.submit(pub); err != nil {
		p.refuse(pub, err)
		return err
	}
	pub.out.release()
	return nil
}

// produce calls the client, but for what the client panics on: a topic that
// librdkafka refuses, be it for its name or for the producer's configuration.
func (p *TracedProducer) produce(msg *kafka.Message, deliveryChan chan kafka.Event) (err error) {
	if msg != nil && len(topicOf(msg)) > maxTopicLength {
		return errLongTopic()
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case string:
			err = kafka.NewError(kafka.ErrInvalidArg, "tracing: "+r, false)
		default: // not the client's own
			panic(r)
		}
	}()
	return p.Producer.Produce(msg, deliveryChan)
}

func errLongTopic() error {
	return kafka.NewError(kafka.ErrInvalidArg, "tracing: topic name over 512 bytes", false)
}

// publication is a message on its way to the client.
type publication struct {
	env *envelope
	out *outgoing
}

// begin starts the publish span of a message and makes the copy to be sent.
func (p *TracedProducer) begin(ctx context.Context, msg *kafka.Message, report chan kafka.Event) publication {
	env := p.envelopes.get()
	env.owner = p
	env.opaque = msg.Opaque
	env.report = report
	env.drop = report == nil && !p.deliveryReports
	out := newOutgoing(msg)
	if p.traced(msg) {
		p.startPublish(ctx, env, out)
	}
	out.msg.Opaque = env
	return publication{env: env, out: out}
}

func (p *TracedProducer) startPublish(ctx context.Context, env *envelope, out *outgoing) {
	msg := &out.msg
	if ctx == nil {
		ctx = context.Background()
	}
	propagator := p.current()
	ctx = publishContext(ctx, msg, propagator)
	t := p.publish.target(validTopic(msg), msg.TopicPartition.Partition)
	env.target = t
	env.ctx, env.span = t.startSpan(ctx)
	p.describe(env.span, msg, kafka.OffsetInvalid)
	out.inject(env.ctx, propagator)
	env.start = p.metrics.now(env.ctx)
}

// submit hands the message to the client. Once it has returned nil the envelope
// is the forwarder's: the report may have come in already.
func (p *TracedProducer) submit(pub publication) error {
	p.held.Add(1)
	pub.env.state.Store(envelopeInFlight)
	err := p.produce(&pub.out.msg, p.Producer.Events())
	if err != nil {
		pub.env.state.Store(envelopeIdle)
		p.held.Add(-1)
	}
	return err
}

// refuse ends the span of a message that the client did not take: no report will
// ever come.
func (p *TracedProducer) refuse(pub publication, err error) {
	if env := pub.env; env.span != nil {
		errorType := setError(env.span, err)
		env.span.End()
		if !env.start.IsZero() {
			t := env.target.measured(pub.out.msg.TopicPartition.Partition)
			p.metrics.recordOperation(env.ctx, t.series(errorType), env.start)
		}
	}
	pub.out.release()
	p.envelopes.put(pub.env)
}
