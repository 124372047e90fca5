//go:build integration

package faults

import (
	"slices"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// user and password are those of the only user that the brokers know.
const user, password = "alice", "in wonderland"

// asUser is the configuration of clients that log in.
func asUser(password string) kafka.ConfigMap {
	return kafka.ConfigMap{
		"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": user, "sasl.password": password,
	}
}

// Applications have no right to their topics, get it, lose it and get it back.
func TestUnauthorizedTopic(t *testing.T) {
	t.Parallel()
	cluster := shared.get(t)
	apps := setup{cluster: cluster, bootstrap: cluster.BootstrapOf(authenticated), clients: asUser(password)}.start(t)
	admin, err := kafka.NewAdminClient(clientConfig(cluster.Bootstrap(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	withoutRight := func() {
		t.Helper()
		const fate = refused + "TOPIC_AUTHORIZATION_FAILED"
		for _, a := range apps {
			before := a.sender.met(fate)
			eventually(t, "messages are refused", func() bool { return a.sender.met(fate) > before })
		}
	}
	withRight := func() {
		t.Helper()
		for _, a := range apps {
			results, err := admin.CreateACLs(patient(t), a.rights())
			if err != nil || slices.ContainsFunc(results, func(r kafka.CreateACLResult) bool { return r.Error.Code() != kafka.ErrNoError }) {
				t.Fatal(results, err)
			}
		}
		apps.goOn(t)
	}

	stop := apps.flow(t)
	withoutRight()
	withRight()
	for _, a := range apps {
		results, err := admin.DeleteACLs(patient(t), kafka.ACLBindingFilters(a.rights()))
		if err != nil || slices.ContainsFunc(results, func(r kafka.DeleteACLsResult) bool { return r.Error.Code() != kafka.ErrNoError }) {
			t.Fatal(results, err)
		}
	}
	withoutRight()
	withRight()
	stop()
	apps.eventually(t, "the consumer was told", func(a *application) bool { return a.receiver.knows("TOPIC_AUTHORIZATION_FAILED") })
	lost := apps.verify(t)
	apps.assertFates(t, []string{"", "TOPIC_AUTHORIZATION_FAILED", refused + "TOPIC_AUTHORIZATION_FAILED"}, nil)
	apps.keep(t, "topic unauthorized", count(lost))
}

// rights are access control lists that let the user do what the application does.
func (a *application) rights() kafka.ACLBindings {
	right := func(op kafka.ACLOperation, to kafka.ResourceType) kafka.ACLBinding {
		return kafka.ACLBinding{
			Type: to, Name: a.sender.topic, ResourcePatternType: kafka.ResourcePatternTypeLiteral,
			Principal: "User:" + user, Host: "*", Operation: op, PermissionType: kafka.ACLPermissionTypeAllow,
		}
	}
	return kafka.ACLBindings{
		right(kafka.ACLOperationWrite, kafka.ResourceTopic),
		right(kafka.ACLOperationRead, kafka.ResourceTopic),
		right(kafka.ACLOperationRead, kafka.ResourceGroup),
	}
}

// An application logs in with a wrong password.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	cluster := shared.get(t)
	apps := setup{
		cluster: cluster, bootstrap: cluster.BootstrapOf(authenticated), clients: asUser("in a rabbit hole"),
		producer: kafka.ConfigMap{"message.timeout.ms": 2000},
	}.start(t)
	apps.sendUpTo(300)
	apps.eventually(t, "the application is told", func(a *application) bool {
		return a.sender.knows("_AUTHENTICATION") && a.receiver.knows("_AUTHENTICATION")
	})
	apps.finish(t, "wrong password (SASL PLAIN)", "_MSG_TIMED_OUT")
}
