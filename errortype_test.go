package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// clientConstants are the names of the client's error codes and the C constants
// behind them, as its source has them.
func clientConstants(t *testing.T) map[string]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/confluentinc/confluent-kafka-go/v2/kafka").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "generated_errors.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if value, ok := spec.Values[0].(*ast.SelectorExpr); ok {
			constants[spec.Names[0].Name] = value.Sel.Name
		}
		return true
	})
	return constants
}

// tableNames are the entries of the generated table, by the name of the Go
// constant.
func tableNames(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errortype_gen.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			names[kv.Key.(*ast.SelectorExpr).Sel.Name] = strings.Trim(kv.Value.(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	return names
}

// Kafka's names for what librdkafka calls differently (kafka.apache.org/protocol).
var protocolNames = map[kafka.ErrorCode]string{
	2: "CORRUPT_MESSAGE", 3: "UNKNOWN_TOPIC_OR_PARTITION", 4: "INVALID_FETCH_SIZE", 6: "NOT_LEADER_OR_FOLLOWER",
	10: "MESSAGE_TOO_LARGE", 11: "STALE_CONTROLLER_EPOCH", 17: "INVALID_TOPIC_EXCEPTION",
}

func TestErrorTypeTableIsTheClients(t *testing.T) {
	t.Parallel()
	constants, names := clientConstants(t), tableNames(t)
	renamed := map[string]bool{}
	for _, name := range protocolNames {
		renamed[name] = true
	}
	if len(constants) < 150 || len(names) != len(constants)-1 {
		t.Errorf("%d names for %d constants, of which one is NO_ERROR", len(names), len(constants))
	}
	for constant, c := range constants {
		want := strings.TrimPrefix(c, "RD_KAFKA_RESP_ERR_")
		if want == "NO_ERROR" {
			continue
		}
		if got := names[constant]; got != want && !renamed[got] {
			t.Errorf("%s is %q, want %q", constant, got, want)
		}
	}
	table := tracing.ErrorNames()
	if len(table) != len(names) {
		t.Errorf("%d codes with %d names: some are the same", len(table), len(names))
	}
	for code, name := range table {
		// UNKNOWN, a broker's answer, is -1 with both.
		if (code < 0) != strings.HasPrefix(name, "_") && code != kafka.ErrUnknown {
			t.Errorf("%d is %q", code, name)
		}
		want := name
		if protocol, ok := protocolNames[code]; ok {
			want = protocol
		}
		if name != want {
			t.Errorf("%d is %q, want %q", code, name, want)
		}
	}
}

func TestErrorTypeTableIsGenerated(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "errortype_gen.go")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/cmd/errortypes", "-o", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("errortype_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("errortype_gen.go is not what go generate makes: run it")
	}
}

// typed names its own type, as the convention lets errors do.
type typed struct{ name string }

func (typed) Error() string       { return "typed" }
func (e typed) ErrorType() string { return e.name }

func TestErrorType(t *testing.T) {
	t.Parallel()
	full := kafka.NewError(kafka.ErrQueueFull, "full", false)
	var none *kafka.Error
	for want, errs := range map[string][]error{
		"_QUEUE_FULL":                {full, &full, fmt.Errorf("send: %w", full), fmt.Errorf("send: %w", &full), errors.Join(errors.New("x"), full)},
		"_MSG_TIMED_OUT":             {kafka.NewError(kafka.ErrMsgTimedOut, "", true)},
		"NOT_LEADER_OR_FOLLOWER":     {kafka.NewError(kafka.ErrNotLeaderForPartition, "", false)},
		"INVALID_TOPIC_EXCEPTION":    {kafka.NewError(kafka.ErrTopicException, "", false)},
		"UNKNOWN_TOPIC_OR_PARTITION": {kafka.NewError(kafka.ErrUnknownTopicOrPart, "", false)},
		"CONCURRENT_TRANSACTIONS":    {kafka.NewError(kafka.ErrConcurrentTransactions, "", false)},
		"UNKNOWN":                    {kafka.NewError(kafka.ErrUnknown, "", false)},
		"_OTHER":                     {kafka.NewError(kafka.ErrorCode(4711), "", false), kafka.NewError(kafka.ErrNoError, "", false)},
		"context.Canceled":           {context.Canceled, fmt.Errorf("wait: %w", context.Canceled)},
		"context.DeadlineExceeded":   {context.DeadlineExceeded, fmt.Errorf("wait: %w", context.DeadlineExceeded)},
		"*errors.errorString":        {errors.New("x"), fmt.Errorf("y: %w", errors.New("x"))},
		"mine":                       {typed{"mine"}, fmt.Errorf("z: %w", typed{"mine"})},
		"*kafka.Error":               {none},
		"github.com/kafkatrace/tracing_test.typed": {typed{}},
	} {
		for _, err := range errs {
			if got := tracing.ErrorType(err); got != want {
				t.Errorf("%#v: %q, want %q", err, got, want)
			}
		}
	}
}
