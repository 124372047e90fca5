package soak

// Config says what a run is.
type Config struct {
	// Bootstrap is the broker, and Topic an empty topic there with that number of partitions.
	Bootstrap  string
	Topic      string
	Partitions int
	// Messages is how many are sent.
	Messages int
	// Sampling is the part of the traces that is sampled, 0 to 1.
	Sampling float64
	// InFlight is how many messages the producer may be ahead of the consumer. Without a bound the slower of the two
	// decides what the memory holds.
	InFlight int
	// Progress, if not nil, gets every sample as it is taken.
	Progress func(Sample)
}

// Samples is how many samples a run takes, spread evenly over its messages.
const Samples = 400
