package tracing

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

// QueryWatermarkOffsets asks the broker for the offsets of a partition; see
// [kafka.Producer.QueryWatermarkOffsets]. Close waits for it: the client ends the
// process if it is destroyed beneath the call.
func (p *TracedProducer) QueryWatermarkOffsets(topic string, partition int32, timeoutMs int) (low, high int64, err error) {
	if !p.gate.enter() {
		return -1, -1, errClosed() // as the client
	}
	defer p.gate.leave()
	return p.Producer.QueryWatermarkOffsets(topic, partition, timeoutMs)
}

// OffsetsForTimes looks offsets up by time; see [kafka.Producer.OffsetsForTimes]. Close
// waits for it, as for QueryWatermarkOffsets.
func (p *TracedProducer) OffsetsForTimes(times []kafka.TopicPartition, timeoutMs int) ([]kafka.TopicPartition, error) {
	if !p.gate.enter() {
		return nil, errClosed()
	}
	defer p.gate.leave()
	return p.Producer.OffsetsForTimes(times, timeoutMs)
}
