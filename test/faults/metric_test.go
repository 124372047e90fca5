//go:build integration

package faults

import (
	"context"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// checkCounted tells what is wrong with the count of sent messages of a closed sender: it is to be that of the reports, by
// error.type, and to leave out what was refused.
func (c *client) checkCounted(s *sender) (wrong problems) {
	var all metricdata.ResourceMetrics
	if err := c.metrics.Collect(context.Background(), &all); err != nil {
		wrong.add("%v", err)
	}
	counted := map[string]int{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "messaging.client.sent.messages" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				errorType, _ := p.Attributes.Value("error.type")
				counted[errorType.AsString()] += int(p.Value)
			}
		}
	}
	reported := s.fates()
	maps.DeleteFunc(reported, func(fate string, _ int) bool { return strings.HasPrefix(fate, refused) })
	if !maps.Equal(counted, reported) {
		wrong.add("%v sent messages are counted, %v were reported", counted, reported)
	}
	return wrong
}
