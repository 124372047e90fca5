package differential

import (
	"testing"

	"pgregory.net/rapid"
)

// A producer behaves as the raw client's, whatever the application does with it.
func TestProducer(t *testing.T) {
	t.Parallel()
	counts := newTally(t, "producer")
	for _, kind := range producerKinds {
		t.Run(kind.name, func(outer *testing.T) {
			outer.Parallel()
			shared := &clusters{}
			outer.Cleanup(shared.close)
			rapid.Check(outer, func(t *rapid.T) {
				script := writeProducerScript(t, drawProducerConfig(t, kind))
				modes := drawModes(t, kind.except)
				brokers := shared.forPlayers(t, len(modes), !kind.sharesCluster())
				players := make([]*producerPlayer, len(modes))
				spans := make([]*telemetry, len(modes))
				for i, m := range modes {
					players[i] = newProducerPlayer(t, m, script.producerConfig, brokers[i])
					spans[i] = players[i].telemetry
				}
				play(outer, t, script.steps, players)
				counts.count(len(script.steps), len(script.attempts)*len(players), spans...)
			})
		})
	}
}
