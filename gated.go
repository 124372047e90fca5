package tracing

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

// The methods of this file only keep out of a client that is being closed, and Close
// waits for them: the client ends the process if it is destroyed beneath a call.

// QueryWatermarkOffsets asks the broker for the offsets of a partition; see
// [kafka.Producer.QueryWatermarkOffsets]. Close waits for it.
func (p *TracedProducer) QueryWatermarkOffsets(topic string, partition int32, timeoutMs int) (low, high int64, err error) {
	low, high = -1, -1 // as the client
	err = p.gated(func() error {
		low, high, err = p.Producer.QueryWatermarkOffsets(topic, partition, timeoutMs)
		return err
	})
	return low, high, err
}

// OffsetsForTimes looks offsets up by time; see [kafka.Producer.OffsetsForTimes]. Close
// waits for it.
func (p *TracedProducer) OffsetsForTimes(times []kafka.TopicPartition, timeoutMs int) (offsets []kafka.TopicPartition, err error) {
	err = p.gated(func() error {
		offsets, err = p.Producer.OffsetsForTimes(times, timeoutMs)
		return err
	})
	return offsets, err
}

// GetMetadata asks for brokers, topics and partitions; see
// [kafka.Producer.GetMetadata]. Close waits for it. For a topic name over 512 bytes,
// on which the client panics, it returns kafka.ErrInvalidArg.
func (p *TracedProducer) GetMetadata(topic *string, allTopics bool, timeoutMs int) (metadata *kafka.Metadata, err error) {
	err = p.gated(func() error {
		if topic != nil && len(*topic) > maxTopicLength {
			return errLongTopic()
		}
		metadata, err = p.Producer.GetMetadata(topic, allTopics, timeoutMs)
		return err
	})
	return metadata, err
}

// GetFatalError returns the client's fatal error, if it has raised one; see
// [kafka.Producer.GetFatalError].
func (p *TracedProducer) GetFatalError() error {
	return p.gated(p.Producer.GetFatalError)
}

// Purge gives up messages in the local queue or in flight, whose spans end with
// their reports, with error.type _PURGE_QUEUE or _PURGE_INFLIGHT; see
// [kafka.Producer.Purge].
func (p *TracedProducer) Purge(flags int) error {
	return p.gated(func() error { return p.Producer.Purge(flags) })
}

// BeginTransaction begins a transaction, without a span, since that is local to the
// client; see [kafka.Producer.BeginTransaction].
func (p *TracedProducer) BeginTransaction() error {
	return p.gated(p.Producer.BeginTransaction)
}

// SetOAuthBearerToken sets the token of SASL/OAUTHBEARER; see
// [kafka.Producer.SetOAuthBearerToken].
func (p *TracedProducer) SetOAuthBearerToken(token kafka.OAuthBearerToken) error {
	return p.gated(func() error { return p.Producer.SetOAuthBearerToken(token) })
}

// SetOAuthBearerTokenFailure tells that there is no such token; see
// [kafka.Producer.SetOAuthBearerTokenFailure].
func (p *TracedProducer) SetOAuthBearerTokenFailure(reason string) error {
	return p.gated(func() error { return p.Producer.SetOAuthBearerTokenFailure(reason) })
}

// SetSaslCredentials sets user and password for connections to come; see
// [kafka.Producer.SetSaslCredentials].
func (p *TracedProducer) SetSaslCredentials(username, password string) error {
	return p.gated(func() error { return p.Producer.SetSaslCredentials(username, password) })
}

// gated makes a call unless the producer is being closed.
func (p *TracedProducer) gated(call func() error) error {
	if !p.gate.enter() {
		return errClosed()
	}
	defer p.gate.leave()
	return call()
}
