// Package faults breaks a real Apache Kafka, and the network to it, in every way that an application is likely to meet,
// and compares what an application sees of it with tracing and without. Its tests need the build tag integration. They
// always start brokers of their own.
package faults
