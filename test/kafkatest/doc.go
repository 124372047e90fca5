// Package kafkatest runs real Apache Kafka brokers for tests, natively, without Docker: it needs Java 17 and, the
// first time, Maven, which fetches the version in pom.xml into the repository's .cache directory.
//
// Most tests share one broker and use a topic of their own:
//
//	func TestMain(m *testing.M) { kafkatest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		bootstrap := kafkatest.Shared(t)
//		topic := kafkatest.NewTopic(t, bootstrap, 3)
//		…
//	}
//
// Tests of faults start a cluster for themselves:
//
//	cluster, err := kafkatest.Start(ctx, kafkatest.Config{Brokers: 3})
//	defer cluster.Close()
//	cluster.Broker(2).Kill()
//	err = cluster.Broker(2).Start(ctx)
//
// A Config can add listeners to the brokers, for clients that log in or that come through a proxy, and have writing to
// their disks fail.
//
// A broker that cannot be had is a failure; no test is skipped.
package kafkatest
