// Package dashboard tests the metrics from the client to the dashboard: what deploy/ ships for Prometheus and Grafana,
// and that its numbers are true.
package dashboard
