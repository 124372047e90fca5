// Package port finds free TCP ports for servers that cannot choose their own.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn from below the range that Linux and macOS use for outgoing connections: a broker that is restarted
// needs its old port back, and must not find it taken by some client's connection in the meantime.
const (
	lowest  = 20_000
	highest = 32_000
)

// Free returns n different loopback addresses, host:port, that nothing listened on a moment ago. Another process may
// still take one before the caller does; callers that can should try again with others.
func Free(n int) ([]string, error) {
	listeners := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	addrs := make([]string, 0, n)
	var errs []error
	for len(addrs) < n {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest)))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			if errs = append(errs, err); len(errs) > 100 {
				return nil, fmt.Errorf("no free ports: %w", errors.Join(errs...))
			}
			continue
		}
		listeners = append(listeners, l)
		addrs = append(addrs, addr)
	}
	return addrs, nil
}
