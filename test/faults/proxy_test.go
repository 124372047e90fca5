//go:build integration

package faults

import (
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/kafkatrace/tracing/test/internal/port"
)

// network is between clients and the brokers' listener proxied.
type network struct {
	proxies []*toxiproxy.Proxy
}

func newProxy(listen, upstream string) *toxiproxy.Proxy {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	return toxiproxy.NewProxy(server, upstream, listen, upstream)
}

// connect puts a proxy in front of a broker's address and returns its own.
func (n *network) connect(addr string) (string, error) {
	listen, err := port.Free(1)
	if err != nil {
		return "", err
	}
	proxy := newProxy(listen[0], addr)
	if err := proxy.Start(); err != nil {
		return "", err
	}
	n.proxies = append(n.proxies, proxy)
	return proxy.Listen, nil
}

// cut closes all connections and lets no new ones in.
func (n *network) cut() {
	for _, proxy := range n.proxies {
		proxy.Stop()
	}
}

// restore ends a cut, and what else is wrong. From then on there is the toxic, unless that is empty.
func (n *network) restore(t *testing.T, toxic string) {
	t.Helper()
	for i, old := range n.proxies {
		old.Stop()
		// Not the old one without its toxic: to remove one may block for ever.
		n.proxies[i] = newProxy(old.Listen, old.Upstream)
	}
	if toxic != "" {
		n.worsen(t, toxic)
	}
	for _, proxy := range n.proxies {
		// A process that a test next to this one starts holds on to the old listener until it is the other program.
		eventually(t, "a proxy listens", func() bool { return proxy.Start() == nil })
	}
}

// worsen adds a toxic, as toxiproxy describes it in JSON, to all connections, those that are open included.
func (n *network) worsen(t *testing.T, toxic string) {
	t.Helper()
	for _, proxy := range n.proxies {
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
}
