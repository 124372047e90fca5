// Package collectortest runs a real OpenTelemetry Collector for tests, natively, with the configuration that the
// repository ships and only its addresses changed:
//
//	sink, err := otlpsink.Start()
//	collector, err := collectortest.Start(ctx, collectortest.Config{Jaeger: sink.Endpoint()})
//	defer collector.Close()
//	// Point OTEL_EXPORTER_OTLP_ENDPOINT to collector.GRPC() or collector.HTTP(); read the sink.
//
// The collector is built from builder.yaml into the repository's .cache directory the first time, which takes minutes.
package collectortest
