package clientstats

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// captured are documents of librdkafka 2.15.1, taken from a mock cluster.
func captured(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("%d documents, %v", len(files), err)
	}
	documents := map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		documents[strings.TrimSuffix(filepath.Base(f), ".json")] = text
	}
	return documents
}

// render lists all values of a snapshot by what the table calls them.
func render(s *Snapshot, role Role) []string {
	var lines []string
	lines = append(lines, values("", ClientInstruments, role, &s.Client)...)
	for i := range s.Brokers {
		lines = append(lines, values(s.Brokers[i].Name, BrokerInstruments, role, &s.Brokers[i])...)
	}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		lines = append(lines, values(p.Topic+"["+p.ID+"]", PartitionInstruments, role, p)...)
	}
	slices.Sort(lines)
	return lines
}

func values[T any](of string, table []Instrument[T], role Role, from *T) []string {
	var lines []string
	for _, i := range table {
		name := strings.TrimPrefix(i.Name, "kafka.client.") + " " + of
		switch {
		case i.Of&role == 0:
		case i.States != nil:
			if state := i.States.State(from); state != "" {
				lines = append(lines, name+" "+state)
			}
		default:
			if n := i.Value(from); n.Known && n.Value >= 0 {
				lines = append(lines, fmt.Sprint(name, " ", n.Value))
			}
		}
	}
	return lines
}

// What the documents say, read from them by eye.
func TestParseCapturedDocuments(t *testing.T) {
	t.Parallel()
	documents := captured(t)
	for name, want := range map[string]struct {
		has  []string
		none []string // no line begins so
	}{
		"producer": {
			has: []string{
				"statistics.timestamp  1795304876",
				"queue.messages  0", "queue.bytes  0", "sent.messages  30", "sent.bytes  150",
				"broker.connection.state 127.0.0.1:35839/1 up",
				"broker.requests 127.0.0.1:35839/1 6", "broker.retries 127.0.0.1:35839/1 0",
				"broker.timeouts 127.0.0.1:35839/1 0", "broker.errors 127.0.0.1:35839/1 0",
				"broker.sent.bytes 127.0.0.1:35839/1 407", "broker.received.bytes 127.0.0.1:35839/1 523",
				"broker.connects 127.0.0.1:35839/1 1", "broker.disconnects 127.0.0.1:35839/1 0",
				"broker.rtt.avg 127.0.0.1:35839/1 56", "broker.rtt.p50 127.0.0.1:35839/1 43",
				"broker.rtt.p95 127.0.0.1:35839/1 126", "broker.rtt.p99 127.0.0.1:35839/1 126",
			},
			none: []string{"received.", "consumer."},
		},
		"consumer": {
			has: []string{
				"received.messages  30", "received.bytes  150", "queue.messages  0",
				"consumer.partitions  3", "consumer.rebalances  1", "consumer.group.state  steady",
				"broker.requests_in_flight 127.0.0.1:33983/3 1", "broker.requests GroupCoordinator 9",
				"consumer.committed_offset orders[0] 10", "consumer.consumed_offset orders[0] 10",
				"consumer.stored_offset orders[2] 10", "consumer.high_watermark orders[2] 10",
				"consumer.lag orders[0] 0", "consumer.lag orders[1] 0",
			},
			// Nothing committed there, no requests answered within the window.
			none: []string{"sent.", "consumer.committed_offset orders[1]", "broker.rtt"},
		},
		"consumer_joining": {
			has: []string{
				"consumer.partitions  0", "consumer.rebalances  0", "consumer.group.state  rebalancing",
				"broker.connection.state 127.0.0.1:33983/3 init", "broker.connection.state GroupCoordinator up",
			},
			none: []string{"consumer.lag"},
		},
		"consumer_one_unassigned": {
			has:  []string{"consumer.partitions  1", "consumer.group.state  not_joined", "consumer.lag orders[1] 0"},
			none: []string{"consumer.lag orders[0]", "consumer.lag orders[2]", "consumer.high_watermark orders[0]"},
		},
		// librdkafka still tells a lag of 0 for partition 0, and one operation in each queue.
		"consumer_unsubscribed": {
			has:  []string{"consumer.partitions  0", "consumer.rebalances  2", "queue.messages  0"},
			none: []string{"consumer.lag", "consumer.committed_offset", "consumer.high_watermark"},
		},
		"consumer_bootstrap": {
			has:  []string{"consumer.group.state  no_coordinator", "broker.requests 127.0.0.1:1/bootstrap 0"},
			none: []string{"broker.rtt"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := Consumer
			if name == "producer" {
				role = Producer
			}
			s, err := Parse(documents[name], role)
			if err != nil {
				t.Fatal(err)
			}
			lines := render(s, role)
			for _, w := range want.has {
				if !slices.Contains(lines, w) {
					t.Errorf("%q is not among\n%s", w, strings.Join(lines, "\n"))
				}
			}
			for _, w := range want.none {
				if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) }); i >= 0 {
					t.Errorf("unexpected %q", lines[i])
				}
			}
		})
	}
}

// librdkafka's states are folded; one that is new to us is none that we act on.
func TestStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"": "", "INIT": "init", "DOWN": "down", "TRY_CONNECT": "connecting", "CONNECT": "connecting",
		"SSL_HANDSHAKE": "connecting", "APIVERSION_QUERY": "connecting", "AUTH_REQ": "connecting",
		"UP": "up", "UPDATE": "up", "REAUTH": "up", "SOMETHING_NEW": "connecting",
	} {
		if got := (&Broker{State: state}).connectionState(); got != want {
			t.Errorf("connection %q: %q, want %q", state, got, want)
		}
	}
	for g, want := range map[Group]string{
		{}:                                        "",
		{State: "up"}:                             "",
		{State: "wait-coord", JoinState: "init"}:  "no_coordinator",
		{State: "up", JoinState: "init"}:          "not_joined",
		{State: "up", JoinState: "wait-sync"}:     "rebalancing",
		{State: "up", JoinState: "steady"}:        "steady",
		{State: "up", JoinState: "something-new"}: "rebalancing",
	} {
		if got := (&Client{Group: g}).groupState(); got != want {
			t.Errorf("group %+v: %q, want %q", g, got, want)
		}
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"consumer_lag":6, "consumer_lag_stored":2, "app_offset":8`: "6",
		`"consumer_lag":-1, "consumer_lag_stored":2`:                "2",
		`"consumer_lag_stored":2`:                                   "2",
		`"consumer_lag":-1, "consumer_lag_stored":-1, "fetch_state":"active", "fetchq_cnt":0, "next_offset":7, "ls_offset":9`: "2",
		`"fetch_state":"active", "fetchq_cnt":0, "next_offset":7, "ls_offset":-1001, "hi_offset":10`:                          "3",
		`"fetch_state":"active", "fetchq_cnt":0, "next_offset":7, "ls_offset":5`:                                              "0",
		`"fetch_state":"active", "fetchq_cnt":0, "next_offset":7, "ls_offset":-1001, "hi_offset":-1001`:                       "none",
		`"fetch_state":"active", "fetchq_cnt":4, "next_offset":7, "ls_offset":9`:                                              "none",
		`"fetch_state":"active", "next_offset":7, "ls_offset":9`:                                                              "none",
		`"fetch_state":"offset-query", "fetchq_cnt":0, "next_offset":0, "ls_offset":9`:                                        "none",
		``: "none",
	} {
		p, sep := `{"topics":{"t":{"partitions":{"0":{"desired":true`, ""
		if text != "" {
			sep = ","
		}
		s, err := Parse([]byte(p+sep+text+`}}}}}`), Consumer)
		if err != nil || len(s.Partitions) != 1 {
			t.Fatal(err, text)
		}
		got := "none"
		if n := s.Partitions[0].lag(); n.Known {
			got = strconv.FormatInt(n.Value, 10)
		}
		if got != want {
			t.Errorf("%s: lag %s, want %s", text, got, want)
		}
	}
}

// What is odd costs itself and nothing else.
func TestParsePassesOverTheUnexpected(t *testing.T) {
	t.Parallel()
	const rest = `"time":7, "txmsgs":5`
	for name, text := range map[string]string{
		"unknown fields":          `{"new":{"a":[1,{"b":null}]}, ` + rest + `}`,
		"brokers is a list":       `{"brokers":[1,2], ` + rest + `}`,
		"brokers is null":         `{"brokers":null, ` + rest + `}`,
		"a broker is null":        `{"brokers":{"a":null}, ` + rest + `}`,
		"a broker is a number":    `{"brokers":{"a":3}, ` + rest + `}`,
		"a broker without a name": `{"brokers":{"":{"tx":1}}, ` + rest + `}`,
		"topics is a text":        `{"topics":"many", ` + rest + `}`,
		"a partition is null":     `{"topics":{"t":{"partitions":{"0":null}}}, ` + rest + `}`,
		"group is a list":         `{"cgrp":[], ` + rest + `}`,
		"numbers of other kinds":  `{"msg_cnt":"3", "msg_size":1.5, "rxmsgs":1e3, "rxmsg_bytes":99999999999999999999, ` + rest + `}`,
		"numbers that are none":   `{"msg_cnt":null, "msg_size":{}, "rxmsgs":[1], "rxmsg_bytes":true, ` + rest + `}`,
		"space before it":         " \n" + `{` + rest + `}`,
	} {
		s, err := Parse([]byte(text), Producer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s, err := Parse([]byte(text), Consumer); err != nil || s.Client.Time.Value != 7 || len(s.Partitions) != 0 {
			t.Errorf("%s: as a consumer's: %+v, %v", name, s, err)
		}
		if got, want := strings.Join(render(s, Producer), ", "), "sent.messages  5, statistics.timestamp  7"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, text := range []string{"", "null", "3", `"x"`, "[]", "{", `{"time":7`, `{"a":1}{`, "\x00", `{"cgrp":{"rebalance_reason":"a "quoted" word"}}`} {
		if s, err := Parse([]byte(text), Consumer); err == nil {
			t.Errorf("%q was read as %v", text, render(s, Consumer))
		}
	}
}

func TestParsePartitionKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i, key := range []string{"-1", "0", "00", "+1", "1", "2147483647", "2147483648", "x", "", " 2", "1.0"} {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `%q:{"desired":true,"fetchq_cnt":2,"fetchq_size":10}`, key)
	}
	s, err := Parse([]byte(`{"topics":{"t":{"partitions":{`+b.String()+`}}}}`), Consumer)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(s.Partitions))
	for i := range s.Partitions {
		ids[i] = s.Partitions[i].ID
	}
	slices.Sort(ids)
	if want := []string{"0", "1", "2147483647"}; !slices.Equal(ids, want) {
		t.Errorf("partitions %q, want %q", ids, want)
	}
	if c := s.Client; c.QueueMessages.Value != 6 || c.QueueBytes.Value != 30 || c.AssignedPartitions.Value != 3 {
		t.Errorf("%+v", c)
	}
}

// The table is what is registered and documented.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	check := func(name, unit, description string, kind Kind, of Role, value, states bool, perUnit float64) {
		if seen[name] || !strings.HasPrefix(name, "kafka.client.") {
			t.Errorf("%s: seen before or not of kafka.client", name)
		}
		seen[name] = true
		if unit == "" || of == 0 || !strings.HasSuffix(description, ".") || value == states {
			t.Errorf("%s: incomplete", name)
		}
		if kind != Counter && kind != Gauge || (kind == Counter && (states || perUnit != 0)) {
			t.Errorf("%s: kind %q", name, kind)
		}
	}
	for _, i := range ClientInstruments {
		check(i.Name, i.Unit, i.Description, i.Kind, i.Of, i.Value != nil, i.States != nil, i.PerUnit)
	}
	for _, i := range BrokerInstruments {
		check(i.Name, i.Unit, i.Description, i.Kind, i.Of, i.Value != nil, i.States != nil, i.PerUnit)
	}
	for _, i := range PartitionInstruments {
		check(i.Name, i.Unit, i.Description, i.Kind, i.Of, i.Value != nil, i.States != nil, i.PerUnit)
	}
	for name := range seen {
		for other := range seen {
			if strings.HasPrefix(other, name+".") {
				t.Errorf("%s is both a name and the namespace of %s", name, other)
			}
		}
	}
}

// Whatever the document: no crash, and nothing that no series can be made of.
func FuzzStatistics(f *testing.F) {
	for _, text := range captured(f) {
		f.Add(text)
		f.Add(text[:len(text)/2])
		f.Add(bytes.ReplaceAll(text, []byte(`:1`), []byte(`:-1`)))
		f.Add(bytes.ReplaceAll(text, []byte(`"`), []byte(`\"`)))
	}
	f.Add([]byte(`{"brokers":{"\ud800":{"nodeid":1e9}},"topics":{"":{"partitions":{"0":{"desired":true}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, role := range []Role{Producer, Consumer} {
			s, err := Parse(text, role)
			if err != nil {
				if s != nil {
					t.Error("a snapshot and an error")
				}
				continue
			}
			render(s, role)
			seen := map[string]bool{}
			for i := range s.Brokers {
				name := s.Brokers[i].Name
				if name == "" || seen[name] {
					t.Errorf("broker %q", name)
				}
				seen[name] = true
			}
			clear(seen)
			for i := range s.Partitions {
				p := &s.Partitions[i]
				if key := p.Topic + "\x00" + p.ID; p.Topic == "" || !isPartition(p.ID) || seen[key] {
					t.Errorf("partition %q of %q", p.ID, p.Topic)
				} else {
					seen[key] = true
				}
			}
			if role == Producer && len(s.Partitions) > 0 {
				t.Error("partitions of a producer")
			}
			for _, i := range BrokerInstruments {
				for j := range s.Brokers {
					if i.States != nil {
						if is := i.States.State(&s.Brokers[j]); is != "" && !slices.Contains(i.States.Values, is) {
							t.Errorf("state %q", is)
						}
					}
				}
			}
		}
	})
}

// enlarge returns a consumer's document with n partitions, made of a real one.
func enlarge(tb testing.TB, n int) []byte {
	tb.Helper()
	text := captured(tb)["consumer"]
	start := bytes.Index(text, []byte(`"0": {`))
	end := start + bytes.Index(text[start:], []byte(`} ,`)) + 1
	if start < 0 || end <= start {
		tb.Fatal("no partition 0 in the document")
	}
	one := text[start:end]
	var b bytes.Buffer
	b.Write(text[:start])
	for i := range n {
		id := strconv.Itoa(i)
		b.Write(bytes.Replace(bytes.Replace(one, []byte(`"0"`), []byte(`"`+id+`"`), 1), []byte(`"partition":0`), []byte(`"partition":`+id), 1))
		b.WriteString(` ,`)
	}
	b.Write(text[end+2:])
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 5000} {
		text := enlarge(b, n)
		for role, name := range map[Role]string{Consumer: "consumer", Producer: "producer"} {
			b.Run(fmt.Sprintf("%s/partitions=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					s, err := Parse(text, role)
					if err != nil || (role == Consumer && len(s.Partitions) != max(n, 3)) {
						b.Fatal(len(s.Partitions), err)
					}
				}
			})
		}
	}
}
