package differential

import (
	"testing"

	"pgregory.net/rapid"
)

// A consumer behaves as the raw client's, whatever the application does with it.
func TestConsumer(t *testing.T) {
	t.Parallel()
	counts := newTally(t, "consumer")
	for _, kind := range consumerKinds {
		t.Run(kind.name, func(outer *testing.T) {
			outer.Parallel()
			shared := &clusters{}
			outer.Cleanup(shared.close)
			rapid.Check(outer, func(t *rapid.T) {
				script := writeConsumerScript(t, drawConsumerConfig(t, kind))
				modes := drawModes(t, nil)
				brokers := shared.forPlayers(t, len(modes), kind.outage)
				players := make([]*consumerPlayer, len(modes))
				spans := make([]*telemetry, len(modes))
				for i, m := range modes {
					players[i] = newConsumerPlayer(t, m, script.consumerConfig, brokers[i])
					spans[i] = players[i].telemetry
				}
				play(outer, t, script.steps, players)
				counts.count(len(script.steps), script.messages*len(players), spans...)
			})
		})
	}
}
