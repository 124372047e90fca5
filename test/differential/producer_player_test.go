package differential

import (
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"pgregory.net/rapid"

	"github.com/kafkatrace/tracing"
)

// producerClient is what a raw and a traced producer have in common.
type producerClient interface {
	tracing.Producer
	ProduceChannel() chan *kafka.Message
	TestFatalError(code kafka.ErrorCode, str string) kafka.ErrorCode
}

// producerPlayer plays a producer's script with one client.
type producerPlayer struct {
	player
	producerConfig
	*telemetry
	cluster  *cluster
	topic    string
	client   producerClient
	channels []chan kafka.Event // 0 is Events()

	template template
	handed   []handedMessage
	opaques  map[int]*int // those that are pointers, by number of the message

	byID    map[string]sdktrace.ReadOnlySpan // the publish spans
	carried map[string]bool                  // their ids, once a message on the wire had them
}

// handedMessage is a message of the application's, and how it was when it was handed over.
type handedMessage struct {
	*kafka.Message
	attempt *attempt
	was     string
}

func newProducerPlayer(t rapid.TB, m mode, c producerConfig, of *cluster) *producerPlayer {
	t.Helper()
	p := &producerPlayer{
		player: player{mode: m}, producerConfig: c, telemetry: newTelemetry(m),
		cluster: of, topic: of.topic(t, c.partitions),
		template: newTemplate(), opaques: map[int]*int{}, carried: map[string]bool{},
	}
	conf := c.clientConfig(of)
	opts := p.options(m, numberOf)
	var err error
	switch m {
	case raw:
		p.client, err = kafka.NewProducer(&conf)
	case wrapped:
		var inner *kafka.Producer
		if inner, err = kafka.NewProducer(&conf); err == nil {
			p.client = tracing.WrapProducer(inner, append(opts, tracing.WithDeliveryReports(!c.reportsOff), tracing.WithBatchProducer(c.batch))...)
		}
	default:
		p.client, err = tracing.NewProducer(&conf, opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.channels = []chan kafka.Event{p.client.Events()}
	for _, capacity := range c.capacities[1:] {
		p.channels = append(p.channels, make(chan kafka.Event, capacity))
	}
	return p
}

func (p *producerPlayer) leave() {
	p.client.Close()
	p.shutDown()
}

// connect makes the topic's partitions known to the client: until then it takes messages for any.
func (p *producerPlayer) connect() {
	if _, err := p.client.GetMetadata(&p.topic, false, int(patience.Milliseconds())); err != nil {
		p.stop("metadata: %v", err)
	}
}

// hand hands a message over.
func (p *producerPlayer) hand(a *attempt) {
	if a.invalid == longTopic && p.mode == raw {
		return // it panics
	}
	msg := p.message(a)
	was := snapshot(msg)
	if a.through {
		select {
		case p.client.ProduceChannel() <- msg:
		case <-time.After(patience):
			p.stop("ProduceChannel is full")
		}
		p.handed = append(p.handed, handedMessage{msg, a, was})
		return
	}
	var to chan kafka.Event
	if a.channel > 0 {
		to = p.channels[a.channel]
	}
	err := p.client.Produce(msg, to)
	if a.invalid == longTopic {
		p.wantCode(err, a.code)
	} else {
		p.answered(err, a.code)
	}
	h := handedMessage{msg, a, was}
	p.check(h)
	if a.scribble {
		scribble(msg)
	} else {
		p.handed = append(p.handed, h)
	}
}

// message makes the message of an attempt.
func (p *producerPlayer) message(a *attempt) *kafka.Message {
	if a.invalid == nilMessage {
		return nil
	}
	if a.again != nil {
		return p.handed[len(p.handed)-1].Message
	}
	msg := a.content.message(p.topicOf(a.invalid), p.template)
	msg.TopicPartition.Partition = a.partition
	msg.Opaque = p.opaqueOf(a)
	switch a.invalid {
	case nilTopic:
		msg.TopicPartition.Topic = nil
	case negativePartition:
		msg.TopicPartition.Partition = -7
	case noSuchPartition:
		msg.TopicPartition.Partition = 99
	case tooLarge:
		msg.Value = fmt.Appendf(nil, "value %d%*s", a.n, 2*maxMessageBytes, "")
	default: // its topic is what it should be
	}
	return msg
}

func (p *producerPlayer) topicOf(i invalid) string {
	switch i {
	case emptyTopic:
		return ""
	case longTopic:
		return fmt.Sprintf("%0600d", 1)
	default:
		return p.topic
	}
}

func (p *producerPlayer) opaqueOf(a *attempt) any {
	switch a.opaque {
	case "number":
		return a.n
	case "pointer":
		if p.opaques[a.n] == nil {
			n := a.n
			p.opaques[n] = &n
		}
		return p.opaques[a.n]
	case "slice": // which cannot be compared
		return []int{a.n}
	default:
		return nil
	}
}

// scribble is an application that reuses all of a message's memory.
func scribble(msg *kafka.Message) {
	if msg == nil {
		return
	}
	if msg.TopicPartition.Topic != nil {
		*msg.TopicPartition.Topic = "scribbled"
	}
	for _, b := range [][]byte{msg.Key, msg.Value} {
		clear(b)
	}
	if len(msg.Headers) > 0 && msg.Headers[0].Key != "template" {
		for i := range msg.Headers {
			clear(msg.Headers[i].Value)
			msg.Headers[i].Key = "scribbled"
		}
	}
	msg.Opaque = "scribbled"
}

// check looks whether a message is as it was when it was handed over.
func (p *producerPlayer) check(h handedMessage) {
	if h.attempt.through && h.attempt.code != kafka.ErrNoError && (p.mode == raw || p.mode == everythingOff) {
		return // The client writes the error into it.
	}
	if is := snapshot(h.Message); is != h.was {
		p.fault("the caller's message was\n\t\t%s\n\tand is\n\t\t%s", h.was, is)
	}
}

func (p *producerPlayer) checkMessages() {
	for _, h := range p.handed {
		p.check(h)
	}
}
