package produce

import (
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/bench/internal/byhand"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Client is what the raw producer and those that wrap it have in common.
type Client interface {
	Produce(msg *kafka.Message, deliveryChan chan kafka.Event) error
	ProduceChannel() chan *kafka.Message
	Events() chan kafka.Event
	Len() int
	Purge(flags int) error
	Close()
}

// Through returns a Producer that hands messages to a client as they are.
func (w Work) Through(c Client) Producer {
	return Producer{
		Sender: func(reports chan kafka.Event) Sender { return Sender{Send: w.send(c, reports)} },
		Events: c.Events(),
		Len:    c.Len,
		Purge:  c.Purge,
		Close:  c.Close,
	}
}

// send returns the function that hands a message to a client.
func (w Work) send(c Client, reports chan kafka.Event) func(*kafka.Message) error {
	if !w.ByChannel {
		return func(msg *kafka.Message) error { return c.Produce(msg, reports) }
	}
	return func(msg *kafka.Message) error {
		c.ProduceChannel() <- msg
		return nil
	}
}

// Raw produces through the client, with more headers.
func Raw(more ...kafka.Header) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		c, err := kafka.NewProducer(&conf)
		if err != nil {
			return Producer{}, err
		}
		p := w.Through(c)
		if len(more) == 0 {
			return p, nil
		}
		return p.before(func(msg *kafka.Message) { msg.Headers = more }), nil
	}
}

// before calls do with every message before it is sent.
func (p Producer) before(do func(*kafka.Message)) Producer {
	sender := p.Sender
	p.Sender = func(reports chan kafka.Event) Sender {
		s := sender(reports)
		send := s.Send
		s.Send = func(msg *kafka.Message) error {
			do(msg)
			return send(msg)
		}
		return s
	}
	return p
}

// Traced produces through the library.
func Traced(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		p, err := tracing.NewProducer(&conf, providers().Options()...)
		if err != nil {
			return Producer{}, err
		}
		return w.Through(p), nil
	}
}

// bareSpan makes a span for every message, which is not sent along and does not
// wait for the report: it shows what the SDK alone costs.
func bareSpan(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		t := byhand.New(providers(), conf)
		p, err := Raw()(w, conf)
		return p.before(func(msg *kafka.Message) { t.Span(msg) }), err
	}
}

// byHand traces every message by hand.
func byHand(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		t := byhand.New(providers(), conf)
		p, err := Raw()(w, conf)
		if err != nil {
			return Producer{}, err
		}
		sender := p.Sender
		p.Sender = func(reports chan kafka.Event) Sender {
			publisher := t.NewPublisher(w.InFlight, w.Headers)
			send := sender(reports).Send
			return Sender{
				Send: func(msg *kafka.Message) error {
					publisher.Start(msg)
					return send(msg)
				},
				Reported: publisher.Reported,
			}
		}
		if w.Reports == None {
			return p.withReports(w.InFlight), nil
		}
		return p, nil
	}
}

// withReports gives reports to a Sender that needs them where the application
// does not read any.
func (p Producer) withReports(inFlight int) Producer {
	var underWay atomic.Int64
	reports, done := make(chan kafka.Event, inFlight), make(chan struct{})
	sender, closeClient := p.Sender, p.Close
	p.Sender = func(chan kafka.Event) Sender {
		s := sender(reports)
		go func() {
			defer close(done)
			for report := range reports {
				s.Reported(report.(*kafka.Message))
				underWay.Add(-1)
			}
		}()
		send := s.Send
		return Sender{Send: func(msg *kafka.Message) error {
			underWay.Add(1)
			return send(msg)
		}}
	}
	p.Len = func() int { return int(underWay.Load()) }
	p.Close = func() {
		closeClient()
		close(reports)
		<-done
	}
	return p
}

// goroutineEach is how wrappers do it that give every message a channel and a
// goroutine of its own, with the least that takes.
func goroutineEach(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		t := byhand.New(providers(), conf)
		c, err := kafka.NewProducer(&conf)
		if err != nil {
			return Producer{}, err
		}
		p := w.Through(c)
		p.Sender = func(reports chan kafka.Event) Sender {
			if reports == nil {
				reports = c.Events()
			}
			return Sender{Send: func(msg *kafka.Message) error {
				pub := new(byhand.Publication)
				t.Publish(msg, pub)
				own := make(chan kafka.Event)
				go func() {
					report := (<-own).(*kafka.Message)
					t.End(report, pub)
					reports <- report
				}()
				return c.Produce(msg, own)
			}}
		}
		return p, nil
	}
}
