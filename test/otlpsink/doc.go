// Package otlpsink is the far end of a telemetry pipeline in tests: an OTLP/gRPC server in the process, playing the
// role of Jaeger, that keeps the spans and metrics it receives and lets a test wait for them.
//
//	sink, err := otlpsink.Start()
//	defer sink.Close()
//	// Point an exporter, or a collector's, to sink.Endpoint().
//	spans, err := sink.WaitForSpans(ctx, func(spans []otlpsink.Span) bool { return len(spans) == 3 })
package otlpsink
