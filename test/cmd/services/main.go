// Command services installs what the integration tests start, so that their time limits need not allow for it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/prometheustest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := install(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

func install(ctx context.Context) error {
	for _, install := range []func(context.Context) (string, error){kafkatest.Install, collectortest.Install, prometheustest.Install} {
		path, err := install(ctx)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
