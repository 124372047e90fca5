// Package differential plays generated scripts with the raw client and with traced ones, and compares all that the
// application can observe. A model says, beside that, what either must do, so that two clients that are wrong alike
// fail as well.
//
// A script is a sequence of calls that an application makes, drawn by a property-based generator. The generator
// writes only what has one outcome: it keeps account of what is outstanding and where, so that a script never waits
// for what cannot come, and never compares what depends on timing. Where the raw client itself is free in the order
// of reports (several partitions, a Purge, a Flush beside its poller) they are compared as a set.
//
// What is not compared, because the contract makes it differ (docs/design.md): propagation headers; Opaque of consumed
// messages; a topic name over 512 bytes, on which the raw client panics; the identity of a message that
// ProduceChannel gives back; calls on a closed client that end the process with the raw one. And, because it is a
// matter of timing with the raw client: what becomes of messages that are under way when it is closed.
//
// `go test` plays a few scripts of each kind. The long mode is the same tests with more of them:
//
//	go test -race ./differential -timeout 30m -rapid.checks=500
//
// where the number is of scripts for each kind; -rapid.steps is the mean number of steps of a script. A failure prints
// the shortest script that was found, and how to repeat it.
package differential
