// Command mutation puts every trap of package mutation into a copy of the library, one at a time, and fails unless the
// tests notice each. It prints, for each, which test did and how. Run it in the repository.
//
//	go run ./test/cmd/mutation                # all; about fifteen minutes on two cores
//	go run ./test/cmd/mutation -run consumer  # those whose name matches
//	go run ./test/cmd/mutation -repeat 5      # whether luck has to do with it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/mutation"
)

func main() {
	choose := flag.String("run", "", "only the traps whose name this `regexp` matches")
	parallel := flag.Int("j", 1, "how many traps to try at the same time")
	repeat := flag.Int("repeat", 1, "how often to try each: it has to be caught every time, and not by luck")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *choose, *parallel, *repeat)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, choose string, parallel, repeat int) error {
	root, err := cache.Root()
	if err != nil {
		return err
	}
	traps, err := chosen(choose)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := mutation.Baseline(ctx, root, traps); err != nil {
		return err
	}
	fmt.Printf("without a trap all tests pass (%.0f s)\n", time.Since(start).Seconds())

	var (
		group   errgroup.Group
		mu      sync.Mutex
		escaped []string
	)
	group.SetLimit(parallel)
	for _, trap := range traps {
		group.Go(func() error {
			began := time.Now()
			var catch mutation.Catch
			var err error
			for range max(1, repeat) {
				if catch, err = trap.Catch(ctx, root); err != nil {
					break
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			fmt.Printf("%s: %s\n", trap.Name, trap.Sentence)
			if err != nil {
				fmt.Printf("  NOT CAUGHT by %s: %v\n", strings.Join(trap.Tests, ", "), err)
				escaped = append(escaped, trap.Name)
				return nil
			}
			fmt.Printf("  caught by %s: %s (%.1f s)\n    %s\n", strings.Join(catch.By(), ", "), catch.How, time.Since(began).Seconds(), firstOf(catch.Message, 150))
			return trap.Result(catch).Write()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(escaped) > 0 {
		return fmt.Errorf("%d of %d traps not caught: %s", len(escaped), len(traps), strings.Join(escaped, ", "))
	}
	fmt.Printf("all %d traps caught in %v\n", len(traps), time.Since(start).Round(time.Second))
	return nil
}

// firstOf returns at most n characters of a text.
func firstOf(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n]) + " …"
	}
	return text
}

func chosen(pattern string) ([]*mutation.Trap, error) {
	matches, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	all, err := mutation.Traps()
	if err != nil {
		return nil, err
	}
	var traps []*mutation.Trap
	for _, trap := range all {
		if matches.MatchString(trap.Name) {
			traps = append(traps, trap)
		}
	}
	if len(traps) == 0 {
		return nil, errors.New("no trap has such a name")
	}
	return traps, nil
}
