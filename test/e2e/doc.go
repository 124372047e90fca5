// Package e2e holds the tests of the library and its examples against a real Apache Kafka and a real OpenTelemetry
// Collector. They need the build tag integration.
package e2e
