package tracing_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing"
)

// fuzzedKeys are properties of each kind: of the Go client, of producers, of consumers,
// of both, of topics, and such as do not exist. None opens a file or leaves the machine.
var fuzzedKeys = []string{
	"go.events.channel.size", "go.produce.channel.size", "go.events.channel.enable", "go.delivery.reports",
	"go.delivery.report.fields", "go.batch.producer", "go.logs.channel.enable", "go.logs.channel",
	"go.application.rebalance.enable", "go.no.such.key", "no.such.key", "", "{topic}.acks", "default.topic.config",
	"client.id", "group.id", "group.instance.id", "group.protocol", "transactional.id", "enable.idempotence",
	"acks", "linger.ms", "batch.size", "compression.type", "message.timeout.ms", "queue.buffering.max.messages",
	"delivery.report.only.error", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset",
	"enable.partition.eof", "session.timeout.ms", "statistics.interval.ms", "security.protocol", "sasl.mechanisms",
	"sasl.username", "broker.address.family", "metadata.broker.list", "isolation.level", "socket.keepalive.enable",
}

// fuzzedValues make a value of each type, right and wrong; n and text are the input's.
var fuzzedValues = []func(n int, text string) kafka.ConfigValue{
	func(_ int, text string) kafka.ConfigValue { return text },
	func(n int, _ string) kafka.ConfigValue { return n },
	func(n int, _ string) kafka.ConfigValue { return -n },
	func(n int, _ string) kafka.ConfigValue { return fmt.Sprint(n) },
	func(int, string) kafka.ConfigValue { return true },
	func(int, string) kafka.ConfigValue { return false },
	func(int, string) kafka.ConfigValue { return "true" },
	func(int, string) kafka.ConfigValue { return "all" },
	func(n int, _ string) kafka.ConfigValue { return time.Duration(n) }, // a Stringer
	func(n int, text string) kafka.ConfigValue { return kafka.ConfigMap{"acks": n, text: text} },
	func(int, string) kafka.ConfigValue { return make(chan kafka.LogEvent, 100) },
	func(int, string) kafka.ConfigValue { return nil },
	func(n int, _ string) kafka.ConfigValue { return int64(n) },
	func(n int, _ string) kafka.ConfigValue { return float64(n) / 2 },
	func(_ int, text string) kafka.ConfigValue { return []byte(text) },
	func(int, string) kafka.ConfigValue { return make(chan int) },
}

// fuzzedConfig makes a configuration: three bytes of settings are a key, the type of its
// value, and a number.
func fuzzedConfig(settings []byte, text string) kafka.ConfigMap {
	conf := kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "group.id": "billing"}
	for setting := range slices.Chunk(settings[:min(len(settings), 60)], 3) {
		if len(setting) == 3 {
			key := fuzzedKeys[int(setting[0])%len(fuzzedKeys)]
			conf[key] = fuzzedValues[int(setting[1])%len(fuzzedValues)](int(setting[2]), text)
		}
	}
	return conf
}

// setting is what fuzzedConfig reads as one.
func setting(key string, value, n byte) []byte {
	return []byte{byte(slices.Index(fuzzedKeys, key)), value, n}
}

// constructed is what a constructor returned, and what closes the client.
type constructed struct {
	err      error
	panicked any
	close    func()
}

func construct[C any](makeClient func() (C, error), closeClient func(C)) (made constructed) {
	defer func() { made.panicked = recover() }()
	client, err := makeClient()
	if err != nil {
		return constructed{err: err, close: func() {}}
	}
	return constructed{close: func() { closeClient(client) }}
}

// A configuration gives what it gives with the client's own constructor: a client, or
// one of its errors, of which it reports any where there are several; and
// kafka.ErrInvalidArg for what it panics on, also where something else is wrong. Nothing
// is left of it, and the application's map is as it was.
func FuzzConfigMap(f *testing.F) {
	f.Add(false, false, []byte{}, "")
	f.Add(true, false, setting("client.id", 0, 0), "till")
	f.Add(false, true, setting("acks", 7, 0), "")
	f.Add(false, false, slices.Concat(setting("go.events.channel.size", 1, 5), setting("go.batch.producer", 4, 0), setting("go.delivery.reports", 5, 0)), "")
	f.Add(false, false, setting("go.produce.channel.size", 2, 1), "")
	f.Add(true, false, slices.Concat(setting("go.events.channel.enable", 4, 0), setting("go.logs.channel.enable", 4, 0), setting("go.logs.channel", 10, 0)), "")
	f.Add(false, false, setting("default.topic.config", 9, 1), "request.timeout.ms")
	f.Add(false, false, setting("delivery.report.only.error", 6, 0), "")
	f.Add(false, false, setting("go.delivery.reports", 6, 0), "") // mistyped, as are the next
	f.Add(false, false, setting("go.events.channel.size", 3, 10), "")
	f.Add(true, false, setting("go.events.channel.enable", 6, 0), "")
	f.Add(false, false, setting("go.logs.channel", 15, 0), "")
	f.Add(true, true, slices.Concat(setting("no.such.key", 1, 1), setting("group.id", 11, 0)), "")
	f.Fuzz(func(t *testing.T, consumer, disabled bool, settings []byte, text string) {
		leaks := goleak.IgnoreCurrent()
		conf, before := fuzzedConfig(settings, text), fuzzedConfig(settings, text)
		for k, v := range before {
			if reflect.TypeOf(v) != nil && reflect.TypeOf(v).Kind() == reflect.Chan {
				before[k] = conf[k] // channels are equal to themselves only
			}
		}
		var opts []tracing.Option
		if disabled {
			opts = off
		}
		raw := func() constructed {
			own := maps.Clone(conf)
			if consumer {
				return construct(func() (*kafka.Consumer, error) { return kafka.NewConsumer(&own) }, func(c *kafka.Consumer) { _ = c.Close() })
			}
			return construct(func() (*kafka.Producer, error) { return kafka.NewProducer(&own) }, (*kafka.Producer).Close)
		}
		traced := func() constructed {
			if consumer {
				return construct(func() (*tracing.TracedConsumer, error) { return tracing.NewConsumer(&conf, opts...) }, func(c *tracing.TracedConsumer) { _ = c.Close() })
			}
			return construct(func() (*tracing.TracedProducer, error) { return tracing.NewProducer(&conf, opts...) }, (*tracing.TracedProducer).Close)
		}
		got, want := traced(), raw()
		switch {
		case got.panicked != nil:
			t.Fatalf("%v: panic: %v", conf, got.panicked)
		case want.panicked != nil || panicsSomewhere(conf):
			if codeOf(got.err) != kafka.ErrInvalidArg {
				t.Errorf("%v: error %v, want an invalid argument", conf, got.err)
			}
		case (got.err == nil) != (want.err == nil):
			t.Errorf("%v: error %v, the raw client's is %v", conf, got.err, want.err)
		case got.err != nil:
			for tries := 0; fmt.Sprintf("%#v", got.err) != fmt.Sprintf("%#v", want.err); tries++ {
				if want = raw(); tries == 100 {
					t.Fatalf("%v: error %#v, the raw client's is %#v", conf, got.err, want.err)
				}
			}
		}
		if !reflect.DeepEqual(conf, before) {
			t.Errorf("the configuration has changed from %v to %v", before, conf)
		}
		var closing sync.WaitGroup // of a producer it takes a while
		for _, made := range []constructed{got, want} {
			if made.close != nil {
				closing.Go(made.close)
			}
		}
		returns(t, "Close", closing.Wait)
		if want.panicked == nil { // the raw client has left what it had made by then
			goleak.VerifyNone(t, leaks)
		}
	})
}

// panicsSomewhere tells that the configuration has what makes the client panic, if it
// comes to it.
func panicsSomewhere(conf kafka.ConfigMap) bool {
	for _, key := range []string{"go.events.channel.size", "go.produce.channel.size"} {
		if n, ok := conf[key].(int); ok && n < 0 {
			return true
		}
	}
	logs, ok := conf["go.logs.channel"]
	_, right := logs.(chan kafka.LogEvent)
	return ok && logs != nil && !right
}
