package tracing

// ScopeName is the name of the instrumentation scope of every span and metric
// that this package emits.
const ScopeName = "github.com/kafkatrace/tracing"

// Version is the version of this package, reported as the version of the
// instrumentation scope.
const Version = "0.1.0"
