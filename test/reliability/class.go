package reliability

// A Class is a kind of defect that wrappers of this client have had, and the tests that show that this one has not.
type Class struct {
	Name   string
	Others string   // What other wrappers do; empty if none is known to do wrong.
	Tests  []string // In the repository's root.
}

// Classes are all of them. The letters are explained on the page.
func Classes() []Class {
	return []Class{
		{
			"`Produce` fails at once, with a delivery channel",
			"J, E: a goroutine waits for the report for ever, S: until `Close`; S, E: the span never ends",
			[]string{"TestProducerRule05RefusedMessages", "TestProducerRule05FullQueue"},
		},
		{
			"Nil topic",
			"S, E: a panic",
			[]string{"TestProducerRule05RefusedMessages"},
		},
		{
			"Delivery fails, without a delivery channel",
			"D: no span ends without a delivery channel; S, J, F: it has ended as a success; E: no report reaches `Events()`",
			[]string{"TestProducerRule05UnreachableBroker", "TestProducerRule01OpaqueIsRestored"},
		},
		{
			"`Close` with messages in flight",
			"D, J, E: a goroutine and an open span stay for each message; S: an open span",
			[]string{"TestProducerRule07CloseWithMessagesInFlight"},
		},
		{
			"`Close` while reports arrive",
			"D, J, E: reports are sent after `Close`, a panic if the application has closed its channel; F: it may panic",
			[]string{"TestProducerRule07CloseWhileReportsArrive"},
		},
		{
			"`ProduceChannel`, then `Close`",
			"D, S, F: what is still in their channel is sent to the client's closed one: a panic",
			[]string{"TestProducerRule09CloseWithMessagesInTheChannel"},
		},
		{
			"`Close` twice",
			"D, S, F: a panic",
			[]string{"TestProducerRule07CloseTwiceAndConcurrently"},
		},
		{
			"Nobody reads an unbuffered channel",
			"S: `Close` hangs; D, J, E: a goroutine stays for each message",
			[]string{"TestProducerRule07CloseWithUnreadChannels", "TestProducerRule06FlushOfFullChannels"},
		},
		{
			"Order of reports on a shared channel, sampled and not",
			"D, S, J, E: any order, each comes from a goroutine of its own",
			[]string{"TestProducerRule03OrderOnASharedChannel"},
		},
		{
			"100,000 messages in flight",
			"D, S, J, E: 100,000 goroutines",
			[]string{"TestProducerRule02NoGoroutinePerMessage", "TestProducerRule02MemoryOfABurst"},
		},
		{
			"`Flush() == 0` means that all reports are forwarded",
			"D, S, J, E: reports are still under way, a panic if the application closes its channel now",
			[]string{"TestProducerRule06FlushedMeansForwarded", "TestProducerRule06FlushedMeansForwardedToEveryCaller"},
		},
		{
			"`go.delivery.reports=false`",
			"D, S, J: as the client, which loses reports where channels are mixed: their spans never end",
			[]string{"TestProducerRule03ReportsGoWhereTheRawClientPutsThem", "TestProducerRule09ReportsOff"},
		},
		{
			"Polling while there is nothing",
			"E: `Poll` blocks for ever after 1,000 times; S: the last span lasts until the next message",
			[]string{"TestConsumerRule01IdlePolling", "TestConsumerRule02Timeouts"},
		},
		{
			"Two pollers",
			"D, J: a data race; S, E: one ends the other's span",
			[]string{"TestConsumerRule03PollersDoNotRace", "TestProcessSpanUntilNextPollFromSeveralGoroutines"},
		},
		{
			"Messages that share a header template",
			"S, J, E: the context is written into the shared array",
			[]string{"TestProducerRule10SharedHeaderTemplate"},
		},
		{
			"The same message sent again",
			"D, S, J, E, F: a child of the first attempt",
			[]string{"TestProducerRule10ResendIsASibling"},
		},
		{
			"1,000 × `ProduceChannel()`",
			"F: 1,000 goroutines, for ever",
			[]string{"TestProducerRule09OneGoroutineForProduceChannel"},
		},
		{
			"The application closes the embedded client",
			"",
			[]string{"TestProducerRule07ApplicationClosesTheEmbeddedClient", "TestConsumerRule05TheApplicationClosesTheEmbeddedClient"},
		},
		{
			"Two wrappers on one client",
			"F: each takes the other's reports",
			[]string{"TestProducerRule07TwoWrappersOnOneClient"},
		},
		{
			"A span processor that is slow, or blocks",
			"",
			[]string{
				"TestProducerWithABlockingSpanProcessor", "TestProducerRule07CloseWhileASpanProcessorBlocks",
				"TestConsumerRule05CloseWhileASpanProcessorBlocks",
			},
		},
		{
			"An exporter that produces through the traced producer",
			"",
			[]string{"TestProducerRule04ExporterProducesThroughTheProducer", "TestProducerRule04ExporterProducesWhileTheProducerCloses"},
		},
	}
}
