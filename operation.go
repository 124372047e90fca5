package tracing

import (
	"go.opentelemetry.io/otel/trace"
)

// Operation names what a span or a measurement is about. Its text is the value
// of messaging.operation.name.
type Operation string

// The operations of this package. See the span table in the README for what
// each of them covers.
const (
	OperationPublish           Operation = "publish"
	OperationPublishBatch      Operation = "publish_batch"
	OperationSend              Operation = "send"
	OperationReceive           Operation = "receive"
	OperationProcess           Operation = "process"
	OperationCommit            Operation = "commit"
	OperationInitTransactions  Operation = "init_transactions"
	OperationSendOffsets       Operation = "send_offsets"
	OperationCommitTransaction Operation = "commit_transaction"
	OperationAbortTransaction  Operation = "abort_transaction"
)

// Type returns the value of messaging.operation.type for o, or "" for the
// operations that have none in the messaging convention (most of the
// transaction calls).
func (o Operation) Type() string {
	switch o {
	case OperationPublish, OperationPublishBatch, OperationSend:
		return "send"
	case OperationReceive:
		return "receive"
	case OperationProcess:
		return "process"
	case OperationCommit, OperationSendOffsets:
		return "settle"
	default:
		return ""
	}
}

// kind returns the span kind of o. linked is the strict relation of
// [WithLinkedTraces], batch tells a span over several messages: both make a
// receive span a CLIENT span, since it is then not the one child of the
// message's creation context.
func (o Operation) kind(linked, batch bool) trace.SpanKind {
	switch o {
	case OperationPublish:
		return trace.SpanKindProducer
	case OperationPublishBatch, OperationSend:
		return trace.SpanKindInternal
	case OperationReceive:
		if linked || batch {
			return trace.SpanKindClient
		}
		return trace.SpanKindConsumer
	case OperationProcess:
		return trace.SpanKindConsumer
	default:
		return trace.SpanKindClient
	}
}

// SpanNameFormatter returns the name of the span of an operation. topic is ""
// where the operation has no single topic. Its result is kept for each operation
// and destination, so it must depend on nothing else.
type SpanNameFormatter func(op Operation, topic string) string

// KafkaSpanName names spans kafka.{operation}: kafka.publish, kafka.receive and
// so on. It is the default.
func KafkaSpanName(op Operation, _ string) string {
	return "kafka." + string(op)
}

// SemconvSpanName names spans as the OpenTelemetry messaging convention asks:
// "{operation} {topic}", or the operation alone where there is no single topic.
func SemconvSpanName(op Operation, topic string) string {
	if topic == "" {
		return string(op)
	}
	return string(op) + " " + topic
}
