package kafkatest

import "fmt"

// A Listener is a way into each of the brokers.
type Listener struct {
	// Name is Kafka's name of it, in capitals. Its settings, such as SASL's, are Properties of the Config that begin
	// with listener.name. and the name in lower case.
	Name string
	// Protocol is its security protocol, such as SASL_PLAINTEXT.
	Protocol string
	// Advertise returns the address that clients are to use for the broker that listens on addr, for instance that of
	// a proxy. Nil means addr.
	Advertise func(addr string) (string, error)
}

// listening is a listener of one broker.
type listening struct{ addr, advertised string }

// listen gives each listener of the cluster an address.
func (b *Broker) listen(addrs []string) error {
	b.listeners = map[string]listening{}
	for i, l := range b.cluster.config.Listeners {
		at := listening{addr: addrs[i], advertised: addrs[i]}
		if l.Advertise != nil {
			var err error
			if at.advertised, err = l.Advertise(at.addr); err != nil {
				return fmt.Errorf("advertise the listener %s of broker %d: %w", l.Name, b.id, err)
			}
		}
		b.listeners[l.Name] = at
	}
	return nil
}
