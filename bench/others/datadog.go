package main

import (
	"io"
	"net/http"
	"os"
	"strings"

	ddkafka "github.com/DataDog/dd-trace-go/contrib/confluentinc/confluent-kafka-go/kafka.v2/v2"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/bench/internal/consume"
	"github.com/kafkatrace/tracing/bench/internal/produce"
)

var datadogProducer = produce.Variant{
	Name: "Datadog's wrapper, all kept",
	Open: func(w produce.Work, conf kafka.ConfigMap) (produce.Producer, error) {
		if err := startDatadog(); err != nil {
			return produce.Producer{}, err
		}
		p, err := ddkafka.NewProducer(&conf)
		if err != nil {
			return produce.Producer{}, err
		}
		producer := w.Through(p)
		producer.Close = func() {
			p.Close()
			tracer.Stop()
		}
		return producer, nil
	},
}

var datadogConsumer = consume.Variant{
	Name: datadogProducer.Name,
	Open: func(w consume.Work, conf kafka.ConfigMap) (consume.Consumer, error) {
		if err := startDatadog(); err != nil {
			return consume.Consumer{}, err
		}
		c, err := ddkafka.NewConsumer(&conf)
		if err != nil {
			return consume.Consumer{}, err
		}
		return w.Each(stopping{c}, nil), nil
	},
}

// stopping stops the tracer with the consumer.
type stopping struct{ *ddkafka.Consumer }

func (s stopping) Close() error {
	defer tracer.Stop()
	return s.Consumer.Close()
}

func startDatadog() error {
	return tracer.Start(tracer.WithHTTPClient(&http.Client{Transport: nowhere{}}), tracer.WithLogStartup(false), tracer.WithLogger(silent{}))
}

// silent is a logger that logs nothing: without an agent there are warnings.
type silent struct{}

// Log implements [tracer.Logger].
func (silent) Log(string) {}

// nowhere takes the spans in the place of an agent.
type nowhere struct{}

// RoundTrip implements [http.RoundTripper].
func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body) // as a server would
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r,
	}, nil
}

// quietDatadog turns off what would talk to an agent beside the spans.
func quietDatadog() {
	for _, name := range []string{"DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED"} {
		_ = os.Setenv(name, "false") // fails for a bad name only
	}
}
