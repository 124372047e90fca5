// Package mutation puts the mistakes back that this library was written to avoid, one at a time, and shows that a test
// notices each. A trap is a file in traps: a small patch of the library, what is wrong with the library that has it, and
// the tests that are expected to fail.
//
//	Trap: the report comes back with the wrapper's own value in Opaque.
//	Test: TestProducerRule01OpaqueIsRestored
//
//	--- a/delivery.go
//	+++ b/delivery.go
//	@@ …
//
// Test names one test or several, subtests after a slash, separated by spaces; all of them have to fail. Two more lines
// may follow it: Package, in which the tests are, if that is not the root; and Timeout, for a trap that makes something
// hang: how long to wait for the tests then. They have to take less than half of that without the trap.
//
// To make one, edit a copy of the file, run `diff -U2`, and put the header before the hunks. The fewer lines a patch has
// the longer it lasts: git apply finds its place wherever that has moved to, but only if the lines are as they were.
package mutation
