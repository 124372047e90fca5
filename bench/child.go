package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
)

// Some of what is measured needs a process of its own. It is this command, started
// by itself with childOf and what it is to do as its first arguments.
const (
	childOf        = "child-of-bench"
	childFootprint = "footprint"
	childBroker    = "broker"
)

// child does what a child is started for, if the arguments are those of one.
func child(args []string) (is bool, err error) {
	if len(args) < 2 || args[0] != childOf {
		return false, nil
	}
	switch args[1] {
	case childFootprint:
		return true, printFootprint(os.Stdout, args[2], args[3])
	default: // childBroker
		return true, measure.WithBroker(func(broker string) error {
			fmt.Println(broker)
			_, err := io.Copy(io.Discard, os.Stdin) // until the parent closes it, or ends
			return err
		})
	}
}

func startChild(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{childOf}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// withBroker calls do with a broker in a process of its own. The profiler's signals
// end the mock broker, which takes an interrupted system call for a failure.
func withBroker(do func(broker string) error) error {
	cmd, err := startChild(childBroker)
	if err != nil {
		return err
	}
	stop, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Wait() }() // it has served
	defer func() { _ = stop.Close() }()
	broker, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start a broker: %w", err)
	}
	return do(strings.TrimSpace(broker))
}

// footprintOf measures in a new process, since this one keeps memory that was in
// use before.
func footprintOf(variant string, messages int) (produce.Footprint, error) {
	var f produce.Footprint
	cmd, err := startChild(childFootprint, variant, strconv.Itoa(messages))
	if err != nil {
		return f, err
	}
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("memory of %s: %w", variant, err)
	}
	err = json.Unmarshal(out, &f)
	return f, err
}

func printFootprint(to io.Writer, variant, messages string) error {
	n, err := strconv.Atoi(messages)
	if err != nil {
		return err
	}
	all := produce.Waiting()
	i := slices.IndexFunc(all, func(v produce.Variant) bool { return v.Name == variant })
	if i < 0 {
		return fmt.Errorf("no variant %q", variant)
	}
	f, err := all[i].Footprint(n)
	if err != nil {
		return err
	}
	return json.NewEncoder(to).Encode(f)
}
