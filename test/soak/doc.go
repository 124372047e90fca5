// Package soak sends many messages through a traced producer and a traced consumer in one process and judges whether
// everything that began also ended: every message reported once and consumed once, in order; every span ended and
// exported; every message counted by the metrics; no goroutine more and no more memory at the end than after the
// warm-up.
//
// The telemetry is that of an application: a batch span processor and a periodic metric reader. Only the exporters are
// not, which count and discard. The span processor blocks where it would drop spans by default, so that the spans
// started, ended and exported must be equal: a span that is lost cannot hide behind those that the SDK may drop.
//
// The producer is idempotent. Then a gap or a repetition in the log is not Kafka's at-least-once but a defect.
package soak
