// Package upstream holds programs that show bugs of the Kafka client, each as small as it gets and without this
// library. docs/reliability.md says what each means for an application. The test runs them all: when one fails, the
// client has mended that bug, and the page and what works around it should be looked at.
package upstream
