// Package prometheustest runs a real Prometheus for tests, natively, with the configuration that the repository ships
// and only its addresses and its pace changed:
//
//	prometheus, err := prometheustest.Start(ctx, prometheustest.Config{Collector: collector.Prometheus()})
//	defer prometheus.Close()
//	samples, err := prometheus.Query(ctx, "sum(up)")
//
// It is built, without the page and without service discovery, into the repository's .cache directory the first time,
// which takes minutes.
package prometheustest
