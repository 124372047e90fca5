package differential

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a player waits for what should happen soon, and scriptTime how long a whole script may take.
const (
	patience   = 20 * time.Second
	scriptTime = 50 * time.Second
)

func TestMain(m *testing.M) {
	flag.Parse()
	preset("rapid.checks", "3")
	preset("rapid.steps", "20")
	// Scripts wait more than they compute.
	preset("test.parallel", "16")
	goleak.VerifyTestMain(m)
}

// preset sets a flag that is given neither on the command line nor in the environment.
func preset(name, value string) {
	given := os.Getenv(strings.ToUpper(strings.ReplaceAll(name, ".", "_"))) != ""
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}
