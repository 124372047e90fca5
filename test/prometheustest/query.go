package prometheustest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Sample is one series' value in the answer to an instant query.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// An Exemplar is one observation, with the labels that lead to its trace.
type Exemplar struct {
	Series map[string]string
	Labels map[string]string
	Value  float64
}

// Query returns what a query answers now, a vector or a scalar.
func (p *Prometheus) Query(ctx context.Context, query string) ([]Sample, error) {
	var vector struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Metric map[string]string `json:"metric"`
			Value  [2]any            `json:"value"` // Time and value, the latter as a string.
		} `json:"result"`
	}
	if err := p.get(ctx, "/api/v1/query", url.Values{"query": {query}}, &vector); err != nil {
		return nil, err
	}
	samples := make([]Sample, len(vector.Result))
	for i, from := range vector.Result {
		text, _ := from.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		samples[i] = Sample{Labels: from.Metric, Value: value}
	}
	return samples, nil
}

// Exemplars returns the exemplars of the last time of the series that a query selects.
func (p *Prometheus) Exemplars(ctx context.Context, query string, last time.Duration) ([]Exemplar, error) {
	var series []struct {
		Series    map[string]string `json:"seriesLabels"`
		Exemplars []struct {
			Labels map[string]string `json:"labels"`
			Value  string            `json:"value"`
		} `json:"exemplars"`
	}
	now := time.Now()
	at := func(t time.Time) []string {
		return []string{strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)}
	}
	values := url.Values{"query": {query}, "start": at(now.Add(-last)), "end": at(now.Add(time.Minute))}
	if err := p.get(ctx, "/api/v1/query_exemplars", values, &series); err != nil {
		return nil, err
	}
	var exemplars []Exemplar
	for _, s := range series {
		for _, from := range s.Exemplars {
			value, err := strconv.ParseFloat(from.Value, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", query, err)
			}
			exemplars = append(exemplars, Exemplar{Series: s.Series, Labels: from.Labels, Value: value})
		}
	}
	return exemplars, nil
}

// LabelValues returns the values of a label of the series that a selector selects, as a dashboard's variable asks.
func (p *Prometheus) LabelValues(ctx context.Context, selector, label string) ([]string, error) {
	var values []string
	err := p.get(ctx, "/api/v1/label/"+label+"/values", url.Values{"match[]": {selector}}, &values)
	return values, err
}

// get asks the API, whose data it decodes unless there is nothing to decode it to.
func (p *Prometheus) get(ctx context.Context, path string, values url.Values, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+path+"?"+values.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %v: %s: %s", path, values, resp.Status, body)
	}
	if data == nil {
		return nil
	}
	return json.Unmarshal(body, &struct {
		Data any `json:"data"`
	}{data})
}
