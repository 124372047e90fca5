package kafkatest

import (
	"encoding/base64"
	"testing"
)

func TestInternalTopicsFitTheCluster(t *testing.T) {
	t.Parallel()
	for brokers, want := range map[int]struct{ replicas, inSync string }{1: {"1", "1"}, 2: {"2", "1"}, 3: {"3", "2"}, 5: {"3", "2"}} {
		c := &Cluster{config: Config{Properties: map[string]string{"offsets.topic.num.partitions": "1"}}}
		for i := range brokers {
			c.brokers = append(c.brokers, &Broker{id: i + 1, cluster: c})
		}
		props := c.properties(c.brokers[0])
		if got := props["transaction.state.log.replication.factor"]; got != want.replicas {
			t.Errorf("%d brokers: %s replicas, want %s", brokers, got, want.replicas)
		}
		if got := props["transaction.state.log.min.isr"]; got != want.inSync {
			t.Errorf("%d brokers: %s in sync, want %s", brokers, got, want.inSync)
		}
		if got := props["offsets.topic.num.partitions"]; got != "1" {
			t.Errorf("the caller's property was overruled: %s", got)
		}
	}
}

func TestListenersAreAdvertised(t *testing.T) {
	t.Parallel()
	c := &Cluster{config: Config{Listeners: []Listener{
		{Name: "SASL", Protocol: "SASL_PLAINTEXT"},
		{Name: "PROXIED", Protocol: "PLAINTEXT", Advertise: func(addr string) (string, error) { return "proxy-of-" + addr, nil }},
	}}}
	b := &Broker{id: 1, addr: "own:1", controller: "own:2", cluster: c}
	if err := b.listen([]string{"own:3", "own:4"}); err != nil {
		t.Fatal(err)
	}
	c.brokers = []*Broker{b}
	props := c.properties(b)
	for key, want := range map[string]string{
		"listeners":                      "PLAINTEXT://own:1,CONTROLLER://own:2,SASL://own:3,PROXIED://own:4",
		"advertised.listeners":           "PLAINTEXT://own:1,SASL://own:3,PROXIED://proxy-of-own:4",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,PROXIED:PLAINTEXT",
	} {
		if props[key] != want {
			t.Errorf("%s is %s, want %s", key, props[key], want)
		}
	}
	if got, want := c.BootstrapOf("PROXIED"), "proxy-of-own:4"; got != want {
		t.Errorf("clients are told %s, want %s", got, want)
	}
}

func TestFormatEscapes(t *testing.T) {
	t.Parallel()
	if got, want := string(format(map[string]string{"b": "x\ny", "a": `C:\kafka`})), "a=C:\\\\kafka\nb=x\\ny\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClusterIDs(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := newClusterID()
		raw, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil || len(raw) != 16 || id[0] == '-' {
			t.Fatalf("%q is not a cluster id (%v)", id, err)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if version, err := Version(); err != nil || version == "" {
		t.Errorf("version %q, %v", version, err)
	}
}
