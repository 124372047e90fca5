package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// errorMakers make an error of a code and a text, and of an error that it may wrap.
var errorMakers = []func(code kafka.ErrorCode, text string, inner error) error{
	func(code kafka.ErrorCode, text string, _ error) error { return kafka.NewError(code, text, false) },
	func(code kafka.ErrorCode, text string, _ error) error {
		fatal := kafka.NewError(code, text, true)
		return &fatal
	},
	func(kafka.ErrorCode, string, error) error { var none *kafka.Error; return none },
	func(kafka.ErrorCode, string, error) error { return context.Canceled },
	func(kafka.ErrorCode, string, error) error { return context.DeadlineExceeded },
	func(_ kafka.ErrorCode, text string, _ error) error { return errors.New(text) },
	func(_ kafka.ErrorCode, text string, inner error) error {
		return &fs.PathError{Op: text, Path: text, Err: inner}
	},
	func(_ kafka.ErrorCode, text string, inner error) error { return fmt.Errorf("%s: %w", text, inner) },
	func(_ kafka.ErrorCode, text string, inner error) error {
		return fmt.Errorf("%s: %w and %w", text, inner, errors.New(text))
	},
	func(_ kafka.ErrorCode, text string, inner error) error {
		return errors.Join(errors.New(text), nil, inner)
	},
	func(_ kafka.ErrorCode, text string, inner error) error { return opaque{text, inner} },
	func(kafka.ErrorCode, string, error) error { return typed{""} },
	func(kafka.ErrorCode, string, error) error { return typed{"mine"} },
	func(kafka.ErrorCode, string, error) error { return typed{"\xff"} },
	func(kafka.ErrorCode, string, error) error { return typed{strings.Repeat("x", 1000)} },
	func(kafka.ErrorCode, string, error) error { return (*fs.PathError)(nil) }, // its Unwrap panics
	func(kafka.ErrorCode, string, error) error { return (*typed)(nil) },        // and so does its ErrorType
}

// opaque is an error that unwraps to several, of which some are nil.
type opaque struct {
	text  string
	inner error
}

func (e opaque) Error() string   { return e.text }
func (e opaque) Unwrap() []error { return []error{nil, e.inner, nil} }

// Whatever the error, its type is a short text that does not depend on what the error
// says, nor on a code that nobody knows: exporters refuse what is not UTF-8, and metrics
// have a series for each value.
func FuzzErrorType(f *testing.F) {
	f.Add(int(kafka.ErrQueueFull), "queue full", []byte{0})
	f.Add(int(kafka.ErrNotLeaderForPartition), "moved", []byte{1, 7, 9})
	f.Add(4711, "no such code", []byte{0, 8, 10, 6})
	f.Add(0, "\xff", []byte{2, 7, 9})
	f.Add(0, "", []byte{5})
	f.Add(0, "", []byte{13, 7})
	f.Add(0, "", []byte{14})
	f.Add(0, "", []byte{15, 9, 7})
	f.Add(0, "", []byte{16})
	f.Fuzz(func(t *testing.T, code int, text string, shape []byte) {
		of := func(code int, text string) string {
			err := errors.New(text)
			for _, b := range shape[:min(len(shape), 100)] {
				err = errorMakers[int(b)%len(errorMakers)](kafka.ErrorCode(code), text, err)
			}
			return tracing.ErrorType(err)
		}
		got := of(code, text)
		if got == "" || len(got) > 255 || !utf8.ValidString(got) {
			t.Errorf("error type %q", got)
		}
		if other := of(code, text+" and more"); other != got {
			t.Errorf("error type %q for one text, %q for another", got, other)
		}
		if _, known := tracing.ErrorNames()[kafka.ErrorCode(code)]; !known {
			if other := of(1<<20, text); other != got {
				t.Errorf("error type %q for one unknown code, %q for another", got, other)
			}
		}
	})
}
