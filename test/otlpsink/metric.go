package otlpsink

import (
	"context"
	"fmt"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// A Metric is one metric of one export, with its data points as they were on the wire.
type Metric struct {
	Service  string         // The resource's service.name.
	Resource map[string]any // All attributes of the resource.
	Scope    string         // The name of the instrumentation scope.
	*metricspb.Metric
}

// String returns the metric in one line, for the messages of failed tests.
func (m Metric) String() string {
	return fmt.Sprintf("{%s %s %T}", m.Service, m.GetName(), m.GetData())
}

type metricsService struct {
	collectormetrics.UnimplementedMetricsServiceServer
	sink *Sink
}

func (s metricsService) Export(
	_ context.Context, req *collectormetrics.ExportMetricsServiceRequest,
) (*collectormetrics.ExportMetricsServiceResponse, error) {
	var metrics []Metric
	for _, rm := range req.GetResourceMetrics() {
		resource := attributes(rm.GetResource().GetAttributes())
		for _, sm := range rm.GetScopeMetrics() {
			for _, metric := range sm.GetMetrics() {
				metrics = append(metrics, Metric{
					Service: serviceName(resource), Resource: resource, Scope: sm.GetScope().GetName(), Metric: metric,
				})
			}
		}
	}
	s.sink.add(nil, metrics)
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}
