package tracing

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// outcomes ends publish spans with what became of their messages. It is for one
// goroutine, which calls flush before it waits for anything.
type outcomes struct {
	attrs attributeBuffer
	sent  tally
}

// end ends the span of an envelope, and measures it.
func (o *outcomes) end(env *envelope, tp kafka.TopicPartition) {
	if env.span == nil {
		return
	}
	p := env.owner
	if env.span.IsRecording() {
		position := tp
		if position.Partition == env.target.dest.partition {
			position.Partition = unknownPartition // the span has it since its start
		}
		o.attrs = p.addPosition(o.attrs[:0], position)
		env.span.SetAttributes(o.attrs...)
	}
	errorType := setError(env.span, tp.Error)
	env.span.End()
	if env.start.IsZero() {
		return
	}
	s := env.target.measured(tp.Partition).series(errorType)
	p.metrics.recordOperation(env.ctx, s, env.start)
	o.sent.add(env.ctx, p.metrics.sent.Inst(), s)
}

// flush counts what has not been counted yet.
func (o *outcomes) flush() { o.sent.flush() }
