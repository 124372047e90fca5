package produce

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing/bench/internal/byhand"
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Footprint is the memory, in bytes, that a message takes until its report.
type Footprint struct {
	Go  int // heap and stacks, after a garbage collection
	RSS int // of the process, the client's own memory included; 0 if not known
}

// Waiting returns the variants whose footprint is of interest.
func Waiting() []Variant {
	names := []string{
		measure.RawClient, measure.TracedOff, measure.TracedNotSampled, measure.HandSampled, measure.TracedSampled,
		measure.TracedWithMetrics, measure.GoroutineEach,
	}
	waiting := slices.DeleteFunc(Variants(), func(v Variant) bool { return !slices.Contains(names, v.Name) })
	return append(waiting, Variant{SpanAlone, "", spanAlone(telemetry.Sampled)})
}

// SpanAlone is the name of the variant that has no client.
const SpanAlone = "a sampled span, no client"

// spanAlone only makes spans, and keeps them.
func spanAlone(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Producer, error) {
		t := byhand.New(providers(), conf)
		spans := make([]trace.Span, 0, w.InFlight)
		return Producer{
			Sender: func(chan kafka.Event) Sender {
				return Sender{Send: func(msg *kafka.Message) error {
					spans = append(spans, t.Begin(msg))
					return nil
				}}
			},
			Close: func() {},
		}, nil
	}
}

// Footprint measures the memory of messages that wait for a broker which is not
// there. RSS means something in a process that has done nothing else before.
func (v Variant) Footprint(messages int) (Footprint, error) {
	w := Base
	w.InFlight = messages
	broker, err := nobody()
	if err != nil {
		return Footprint{}, err
	}
	conf := w.config(broker)
	conf["queue.buffering.max.messages"] = 2 * messages
	// By default these have room for a million, which would be what is measured.
	conf["go.events.channel.size"], conf["go.produce.channel.size"] = 1000, 1
	reports := make(chan kafka.Event, messages)

	goBefore, rssBefore := memory()
	p, err := v.Open(w, conf)
	if err != nil {
		return Footprint{}, err
	}
	s := p.Sender(reports)
	for range messages {
		msg := w.message()
		if err := s.Send(&msg); err != nil {
			return Footprint{}, err
		}
	}
	goAfter, rssAfter := memory()
	runtime.KeepAlive(s)
	defer p.Close()
	if err := p.takeBack(s, reports, messages); err != nil {
		return Footprint{}, err
	}
	return Footprint{
		Go:  (goAfter - goBefore) / messages,
		RSS: (rssAfter - rssBefore) / messages,
	}, nil
}

// takeBack purges the messages and reads their reports.
func (p Producer) takeBack(s Sender, reports chan kafka.Event, messages int) error {
	if p.Purge == nil {
		return nil
	}
	if err := p.Purge(kafka.PurgeQueue | kafka.PurgeInFlight); err != nil {
		return err
	}
	late := time.After(time.Minute)
	for n := range messages {
		select {
		case report := <-reports:
			if s.Reported != nil {
				s.Reported(report.(*kafka.Message))
			}
		case <-late:
			return fmt.Errorf("%d of %d purged messages reported after a minute", n, messages)
		}
	}
	return nil
}

// nobody returns an address at which nobody listens.
func nobody() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// memory returns what Go has in use and what the process has of the machine's.
func memory() (inUse, rss int) {
	runtime.GC() // twice, since pools keep what they have through one
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), residentSize()
}

// residentSize is known on Linux only; elsewhere it is 0.
func residentSize() int {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int
	if _, err := fmt.Fscan(bytes.NewReader(statm), &size, &resident); err != nil {
		return 0
	}
	return resident * os.Getpagesize()
}
