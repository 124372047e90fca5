// Package process runs servers beside the tests: each in a process group of its own, its output in a file, and on
// Linux never outliving the process that started it.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// A Process is a running server.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// Start runs cmd with its output appended to the file log.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // The child has its own descriptor.
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = Attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // Err reads the state.
		close(p.exited)
	}()
	return p, nil
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err says why the process ended, with the end of its log. It blocks until then.
func (p *Process) Err() error {
	<-p.exited
	return fmt.Errorf("%s: %v; its log %s ends:\n%s", p.cmd.Path, p.cmd.ProcessState, p.log, Tail(p.log))
}

// Kill ends the process and its children at once and waits until it is gone.
func (p *Process) Kill() {
	// The group, not the process: a server may have started children. An error says that it is gone already.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// Stop asks the process to end and waits for it; when ctx ends first the process is killed and ctx's error returned.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
}

// Tail returns the last lines of a log, for error messages.
func Tail(log string) string {
	const most = 4096
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
		if _, rest, ok := bytes.Cut(text, []byte("\n")); ok {
			text = rest
		}
	}
	return string(text)
}
