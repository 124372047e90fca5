package tracing

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

//go:generate go run ./internal/cmd/errortypes -o errortype_gen.go

const (
	errorTypeOther = "_OTHER"
	errorTypePanic = "panic"

	maxErrorType = 255
)

// errorType returns the value of error.type for err: a Kafka error's own name,
// the name of the context's error, else the type of the Go error. The prose that
// [kafka.ErrorCode] prints is none of these: it changes between versions and has
// no bounded set of values.
//
// A nil pointer in err has methods that may not be made for it, and what an error
// calls itself is not ours: neither may harm the application or its telemetry.
func errorType(err error) (name string) {
	defer func() {
		if recover() != nil {
			name = fmt.Sprintf("%T", err)
		}
	}()
	var (
		value   kafka.Error
		pointer *kafka.Error
	)
	switch {
	case errors.As(err, &value):
		return codeName(value.Code())
	case errors.As(err, &pointer) && pointer != nil:
		return codeName(pointer.Code())
	case errors.Is(err, context.Canceled):
		return "context.Canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "context.DeadlineExceeded"
	}
	if t := semconv.ErrorType(err).Value.AsString(); t != "" && len(t) <= maxErrorType && utf8.ValidString(t) {
		return t
	}
	return errorTypeOther
}

// codeName returns the name of a code: Kafka's protocol name for the brokers'
// codes (above 0), librdkafka's for those of the client (below 0).
func codeName(code kafka.ErrorCode) string {
	if name, ok := errorNames[code]; ok {
		return name
	}
	return errorTypeOther
}

// hasCode reports whether err is a Kafka error with one of the codes.
func hasCode(err error, codes ...kafka.ErrorCode) bool {
	if err == nil {
		return false // e below would be allocated all the same
	}
	var e kafka.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code() == code {
			return true
		}
	}
	return false
}
