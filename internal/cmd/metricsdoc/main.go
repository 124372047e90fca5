// Command metricsdoc writes docs/metrics.md from the code: what is there cannot
// differ from what is registered.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"log"
	"os"
	"strings"
	"text/template"

	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/kafkatrace/tracing/internal/clientstats"
)

//go:embed metrics.md.tmpl
var text string

func main() {
	log.SetFlags(0)
	out := flag.String("o", "docs/metrics.md", "the file to write")
	flag.Parse()
	document, err := generate()
	if err == nil {
		err = os.WriteFile(*out, document, 0o644)
	}
	if err != nil {
		log.Fatal("metricsdoc: ", err)
	}
}

// row is an instrument as the document shows it.
type row struct {
	Name, Kind, Unit, Of, Attributes, Description string
	Seeds                                         string
}

// group is a table of the document.
type group struct {
	Title, About string
	Attributes   []string // of every row
	Rows         []row
}

func generate() ([]byte, error) {
	t, err := template.New("metrics.md").Funcs(template.FuncMap{"code": code, "codes": codes}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Messaging": messaging(),
		"Statistics": []group{
			{
				Title: "Client", About: "One series for each client.",
				Attributes: ofClient(),
				Rows:       rows(clientstats.ClientInstruments),
			},
			{
				Title: "Broker", About: "One series for each client and connection.",
				Attributes: append(ofClient(), clientstats.BrokerName, clientstats.BrokerID, "server.address", "server.port"),
				Rows:       rows(clientstats.BrokerInstruments),
			},
			{
				Title: "Partition", About: "One series for each consumer and partition assigned to it.",
				Attributes: append(ofClient(), "messaging.destination.name", "messaging.destination.partition.id"),
				Rows:       rows(clientstats.PartitionInstruments),
			},
		},
	})
	return b.Bytes(), err
}

func ofClient() []string {
	return []string{"messaging.client.id", clientstats.ClientName, "messaging.consumer.group.name"}
}

func rows[T any](table []clientstats.Instrument[T]) []row {
	made := make([]row, len(table))
	for n, i := range table {
		made[n] = row{Name: i.Name, Kind: string(i.Kind), Unit: i.Unit, Of: clients(i.Of), Description: i.Description}
		if i.States != nil {
			made[n].Attributes = i.States.Attribute
		}
	}
	return made
}

func clients(of clientstats.Role) string {
	switch of {
	case clientstats.Producer:
		return "producer"
	case clientstats.Consumer:
		return "consumer"
	default:
		return "both"
	}
}

// convention is an instrument of OpenTelemetry's.
type convention interface {
	Name() string
	Unit() string
	Description() string
}

// messaging are the four of metrics.go.
func messaging() []row {
	const common = "`messaging.system`, `messaging.operation.name`, `messaging.destination.name`, `messaging.consumer.group.name`, `server.address`, `server.port`, `error.type`, and `messaging.destination.partition.id` with `WithPartitionOnMetrics`"
	made := make([]row, 0, 4)
	for _, m := range []struct {
		convention
		kind, attributes, when, seeds string
	}{
		{
			messagingconv.ClientOperationDuration{},
			"histogram", "`messaging.operation.type`, " + common,
			"Publish: from the call to the delivery report. Receive: the call that returned the message, its wait included; in `Consume` and `ConsumeBatch` since the handler returned, at `Events()` since the event before. Commit.",
			"`kafka.send.duration` (operation `publish`), `kafka.receive.duration` (operation `receive`)",
		},
		{messagingconv.ProcessDuration{}, "histogram", common, "Each process span, from start to end.", "none"},
		{messagingconv.ClientSentMessages{}, "counter", common, "Each delivery report, and what Close gives up; not what the client refused.", "`kafka.messages.sent`"},
		{messagingconv.ClientConsumedMessages{}, "counter", common, "Each message handed to the application.", "`kafka.messages.received`"},
	} {
		made = append(made, row{
			Name: m.Name(), Kind: m.kind, Unit: m.Unit(), Attributes: m.attributes,
			Description: m.Description() + " " + m.when, Seeds: m.seeds,
		})
	}
	return made
}

func code(s string) string { return "`" + s + "`" }

func codes(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = code(n)
	}
	return strings.Join(quoted, ", ")
}
