package kafkatest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// properties returns the server.properties of b: a combined controller and broker. What the caller asked for wins.
func (c *Cluster) properties(b *Broker) map[string]string {
	voters := make([]string, len(c.brokers))
	for i, peer := range c.brokers {
		voters[i] = fmt.Sprintf("%d@%s", peer.id, peer.controller)
	}
	brokers := len(c.brokers)
	replicas := strconv.Itoa(min(brokers, 3))
	inSync := "1"
	if brokers >= 3 {
		inSync = "2" // As in production: one broker may be down.
	}
	props := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(b.id),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "PLAINTEXT",
		"listeners":                      fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://%s", b.addr, b.controller),
		"advertised.listeners":           "PLAINTEXT://" + b.addr,
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                       b.file("data"),

		"default.replication.factor":                       replicas,
		"min.insync.replicas":                              inSync,
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    inSync,
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            inSync,

		// The defaults, 50 partitions each, make the first group and the first transaction wait.
		"offsets.topic.num.partitions":                 "3",
		"transaction.state.log.num.partitions":         "3",
		"share.coordinator.state.topic.num.partitions": "3",
		"group.initial.rebalance.delay.ms":             "0",
		"auto.create.topics.enable":                    "false", // A misspelt topic is an error.
	}
	for _, l := range c.config.Listeners {
		at := b.listeners[l.Name]
		props["listeners"] += fmt.Sprintf(",%s://%s", l.Name, at.addr)
		props["advertised.listeners"] += fmt.Sprintf(",%s://%s", l.Name, at.advertised)
		props["listener.security.protocol.map"] += fmt.Sprintf(",%s:%s", l.Name, l.Protocol)
	}
	maps.Copy(props, c.config.Properties)
	return props
}

// format renders props as a Java properties file.
func format(props map[string]string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	var out []byte
	for _, key := range slices.Sorted(maps.Keys(props)) {
		out = fmt.Appendf(out, "%s=%s\n", key, escape.Replace(props[key]))
	}
	return out
}

// newClusterID returns a random id in Kafka's own form: 16 bytes in URL-safe base64.
func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // Never fails.
	id[0] &= 0x7f           // A leading '-' would look like an option to Kafka's tools.
	return base64.RawURLEncoding.EncodeToString(id[:])
}
