package soak

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/test/reliability"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config is a small run on a broker in the process.
func config(t *testing.T) Config {
	t.Helper()
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := Config{Bootstrap: cluster.BootstrapServers(), Topic: "soak", Partitions: 3, Messages: 5000, Sampling: 1, InFlight: 500}
	if err := cluster.CreateTopic(c.Topic, c.Partitions, 1); err != nil {
		t.Fatal(err)
	}
	return c
}

// Not parallel, nor are the others that call Run: it looks for goroutines that were left.
func TestRun(t *testing.T) {
	for name, sampling := range map[string]float64{"every one sampled": 1, "half sampled": 0.5, "none sampled": 0} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			c.Sampling = sampling
			progress := 0
			c.Progress = func(Sample) { progress++ }
			report, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := report.Check(); err != nil {
				t.Error(err)
			}
			if n := report.Receive.Ended; (n > 0) != (sampling > 0) || (n == int64(c.Messages)) != (sampling == 1) {
				t.Errorf("%d receive spans of %d messages", n, c.Messages)
			}
			if n := len(report.Samples); n < Samples || n != progress {
				t.Errorf("%d samples, %d shown", n, progress)
			}
			for _, s := range report.Samples {
				if s.Heap <= 0 || s.RSS < s.Heap || s.RSS <= s.Outside || s.Goroutines < 3 || s.InFlight > c.InFlight {
					t.Fatalf("sample %+v", s)
				}
			}
			for _, suite := range reliability.Suites() {
				if result := report.Result(); suite.Name == result.Suite {
					if err := suite.Check(result); err != nil || len(result.Cells) != len(suite.Headings) {
						t.Errorf("cells %v, columns %v, %v", result.Cells, suite.Headings, err)
					}
				}
			}
			wellFormed(t, Plot(report, report))
		})
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count(svg, []byte("<polyline")); n != 4 {
		t.Errorf("%d lines, want two for each run", n)
	}
}

// A message that was there before is one too many.
func TestRunNoticesAMessageOfAnother(t *testing.T) {
	c := config(t)
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": c.Bootstrap, "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reports := make(chan kafka.Event, 1)
	msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &c.Topic, Partition: 0}, Value: make([]byte, valueSize)}
	if err := p.Produce(msg, reports); err != nil {
		t.Fatal(err)
	}
	<-reports
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "ends at offset") {
		t.Errorf("error %v, want that partition 0 ends one too late", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	c := config(t)
	c.Messages = 1_000_000
	ctx, cancel := context.WithCancel(t.Context())
	c.Progress = func(Sample) { cancel() }
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
