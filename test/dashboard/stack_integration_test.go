//go:build integration

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/otlpsink"
	"github.com/kafkatrace/tracing/test/prometheustest"
)

// stack is what docker-compose.yml starts with the profile metrics, without Grafana, and with the role of Jaeger played.
// Its files are the shipped ones; only addresses and paces differ.
type stack struct {
	bootstrap  string
	sink       *otlpsink.Sink
	collector  *collectortest.Collector
	prometheus *prometheustest.Prometheus
}

func newStack(t *testing.T) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // The services may have to be built.
	defer cancel()
	s := &stack{bootstrap: kafkatest.Shared(t)}
	closed := func(service interface{ Close() error }) {
		t.Cleanup(func() {
			if err := service.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	var err error
	if s.sink, err = otlpsink.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sink.Close)
	s.collector, err = collectortest.Start(ctx, collectortest.Config{Jaeger: s.sink.Endpoint(), Overrides: []string{
		"yaml:processors::batch::timeout: 100ms", "yaml:connectors::span_metrics::metrics_flush_interval: 500ms",
	}})
	if err != nil {
		t.Fatal(err)
	}
	closed(s.collector)
	s.prometheus, err = prometheustest.Start(ctx, prometheustest.Config{
		Collector: s.collector.Prometheus(), Interval: 500 * time.Millisecond, Args: composed(t).Services["prometheus"].Command,
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(s.prometheus)
	return s
}

// env makes the examples export to the stack, in a hurry.
func (s *stack) env() []string {
	return []string{
		"KAFKA_BOOTSTRAP_SERVERS=" + s.bootstrap, "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + s.collector.GRPC(),
		"OTEL_METRIC_EXPORT_INTERVAL=500", "OTEL_BSP_SCHEDULE_DELAY=200",
	}
}

// The dashboard's queries and variables are answered while the examples run, and the numbers are those of the broker
// and of the examples' own logs when they have ended.
func TestExamplesOnTheDashboard(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	topic, small := kafkatest.NewTopic(t, s.bootstrap, 3), newSmallTopic(t, s.bootstrap, "100")
	group := topic
	programs := buildExamples(t, "producer", "consumer")
	consumer := startExample(t, s.env(), programs+"/consumer", "-topic", topic, "-group", group, "-statistics-interval", "200ms")
	producer := startExample(t, s.env(), programs+"/producer", "-topic", topic, "-interval", "20ms", "-statistics-interval", "200ms")
	refused := startExample(t, s.env(), programs+"/producer", "-topic", small, "-interval", "20ms")
	raw, err := kafka.NewProducer(clientConfig(s.bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)

	malformed := 0
	d := shippedDashboard(t)
	eventually(t, func(ctx context.Context) error {
		produceRaw(t, raw, topic, 0, "no order")
		malformed++
		return errors.Join(s.answers(ctx, d), s.answersVariables(ctx, d, map[string]string{
			"service": "order-producer", "topic": topic, "group": group,
		}))
	})
	s.assertExemplars(t, d)

	producer.stop()
	refused.stop()
	b := newBroker(t, s.bootstrap, group, topic, 3)
	ends, err := b.ends()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		committed, err := b.committed()
		if err == nil && !slices.Equal(committed, ends) {
			err = fmt.Errorf("the group has committed %v of %v", committed, ends)
		}
		return errors.Join(err, s.equal(ctx, "sum(kafka_client_consumer_lag)", sum(ends)-sum(committed)))
	})
	consumer.stop()

	delivered, failed := producer.logged("order delivered"), refused.logged("order not delivered")
	handled, skipped := consumer.logged("order handled"), consumer.logged("order skipped")
	t.Logf("%d orders delivered, %d refused; %d handled, %d skipped", delivered, failed, handled, skipped)
	if int64(delivered+malformed) != sum(ends) || handled != delivered || skipped != malformed {
		t.Errorf("the broker has %d messages; %d are malformed", sum(ends), malformed)
	}
	eventually(t, func(ctx context.Context) error {
		var errs []error
		for query, want := range map[string]int{
			`messaging_client_sent_messages_total{error_type=""}`:                                                   delivered,
			`messaging_client_sent_messages_total{error_type="MESSAGE_TOO_LARGE"}`:                                  failed,
			`messaging_client_operation_duration_seconds_count{messaging_operation_name="publish"}`:                 delivered + failed,
			`messaging_client_consumed_messages_total{messaging_consumer_group_name="` + group + `"}`:               handled + skipped,
			`messaging_process_duration_seconds_count{error_type=""}`:                                               handled,
			`messaging_process_duration_seconds_count{error_type!=""}`:                                              skipped,
			`traces_span_metrics_calls_total{span_name="kafka.publish"}`:                                            delivered + failed,
			`traces_span_metrics_calls_total{span_name="kafka.process",status_code="STATUS_CODE_ERROR"}`:            skipped,
			`traces_span_metrics_duration_seconds_count{span_name="kafka.receive",job="order-consumer"}`:            handled + skipped,
			`traces_span_metrics_calls_total{span_name="kafka.publish",messaging_destination_name="` + small + `"}`: failed,
		} {
			errs = append(errs, s.equal(ctx, "sum("+query+")", int64(want)))
		}
		return errors.Join(errs...)
	})
}

// equal says if a query has not this one answer.
func (s *stack) equal(ctx context.Context, query string, want int64) error {
	got, err := s.prometheus.Query(ctx, query)
	if err == nil && (len(got) != 1 || got[0].Value != float64(want)) {
		err = fmt.Errorf("%s is %v, want %d", query, got, want)
	}
	return err
}

// answers says which queries of the dashboard are not answered with data: something that has happened, or a number of
// messages that wait, which may be none.
func (s *stack) answers(ctx context.Context, d *dashboard) error {
	var errs []error
	for i := range d.Panels {
		for _, target := range d.Panels[i].Targets {
			query := target.query("10s")
			may0 := strings.Contains(query, "kafka_client_consumer_lag") || strings.Contains(query, "kafka_client_queue_messages")
			samples, err := s.prometheus.Query(ctx, query)
			if err == nil && !slices.ContainsFunc(samples, func(sample prometheustest.Sample) bool {
				return sample.Value > 0 && !math.IsInf(sample.Value, 0) || may0 && sample.Value == 0
			}) {
				err = fmt.Errorf("panel %s: %s is %v", d.Panels[i].Title, query, samples)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// answersVariables says which variables of the dashboard do not offer what is expected.
func (s *stack) answersVariables(ctx context.Context, d *dashboard, want map[string]string) error {
	var errs []error
	for i := range d.Templating.List {
		v := &d.Templating.List[i]
		selector, label, _ := v.labelValues()
		values, err := s.prometheus.LabelValues(ctx, selector, label)
		if err == nil && !slices.Contains(values, want[v.Name]) {
			err = fmt.Errorf("variable %s has %v, not %s", v.Name, values, want[v.Name])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// assertExemplars fails the test unless every query that shows exemplars has one whose trace Jaeger has.
func (s *stack) assertExemplars(t *testing.T, d *dashboard) {
	t.Helper()
	shown := 0
	for i := range d.Panels {
		for _, target := range d.Panels[i].Targets {
			if !target.Exemplar {
				continue
			}
			shown++
			eventually(t, func(ctx context.Context) error {
				exemplars, err := s.prometheus.Exemplars(ctx, target.query("10s"), 10*time.Minute)
				if err != nil {
					return err
				}
				traces := map[string]bool{}
				spans := s.sink.Spans()
				for i := range spans {
					traces[spans[i].TraceID.String()] = true
				}
				for _, exemplar := range exemplars {
					if traces[exemplar.Labels["trace_id"]] {
						return nil
					}
				}
				return fmt.Errorf("panel %s: none of %d exemplars leads to one of %d traces", d.Panels[i].Title, len(exemplars), len(traces))
			})
		}
	}
	if shown == 0 {
		t.Error("no panel shows exemplars")
	}
}
