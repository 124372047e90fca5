//go:build integration

package faults

import (
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// names are what error.type is to be for the errors that these tests cause: Kafka's names for what a broker says, the
// client's for its own.
var names = map[kafka.ErrorCode]string{
	kafka.ErrAllBrokersDown:           "_ALL_BROKERS_DOWN",
	kafka.ErrAuthentication:           "_AUTHENTICATION",
	kafka.ErrDestroy:                  "_DESTROY",
	kafka.ErrFatal:                    "_FATAL",
	kafka.ErrFenced:                   "_FENCED",
	kafka.ErrMsgTimedOut:              "_MSG_TIMED_OUT",
	kafka.ErrQueueFull:                "_QUEUE_FULL",
	kafka.ErrState:                    "_STATE",
	kafka.ErrTransport:                "_TRANSPORT",
	kafka.ErrUnknownPartition:         "_UNKNOWN_PARTITION",
	kafka.ErrUnknownTopic:             "_UNKNOWN_TOPIC",
	kafka.ErrInvalidProducerEpoch:     "INVALID_PRODUCER_EPOCH",
	kafka.ErrMsgSizeTooLarge:          "MESSAGE_TOO_LARGE",
	kafka.ErrTopicAuthorizationFailed: "TOPIC_AUTHORIZATION_FAILED",
	kafka.ErrUnknownTopicOrPart:       "UNKNOWN_TOPIC_OR_PARTITION",
}

// name returns the name of an error; "" for none.
func name(err error) string {
	var e kafka.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return fmt.Sprintf("%T", err)
	case names[e.Code()] == "":
		return fmt.Sprintf("code %d", e.Code())
	}
	return names[e.Code()]
}
