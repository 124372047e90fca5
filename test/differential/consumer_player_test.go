package differential

import (
	"fmt"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"

	"github.com/kafkatrace/tracing"
)

// consumerPlayer plays a consumer's script with one client.
type consumerPlayer struct {
	player
	consumerConfig
	*telemetry
	cluster *cluster
	topic   string
	group   string
	client  tracing.Consumer

	last     map[int]*kafka.Message // of each partition
	early    []*kafka.Message       // received while joining the group
	ends     map[int]int            // of partitions, as told
	received []*kafka.Message
	joined   int // partitions that a rebalance has brought
	shared   template
}

func newConsumerPlayer(t rapid.TB, m mode, c consumerConfig, of *cluster) *consumerPlayer {
	t.Helper()
	topic := of.topic(t, c.partitions)
	p := &consumerPlayer{
		player: player{mode: m}, consumerConfig: c, telemetry: newTelemetry(m),
		cluster: of, topic: topic, group: "group of " + topic, shared: newTemplate(),
		last: map[int]*kafka.Message{}, ends: map[int]int{},
	}
	conf := c.clientConfig(of, p.group)
	opts := p.options(m, numberOf)
	var err error
	switch m {
	case raw:
		p.client, err = kafka.NewConsumer(&conf)
	case wrapped:
		var inner *kafka.Consumer
		if inner, err = kafka.NewConsumer(&conf); err == nil {
			p.client = tracing.WrapConsumer(inner, append(opts, tracing.WithConsumerGroup(p.group))...)
		}
	default:
		p.client, err = tracing.NewConsumer(&conf, opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *consumerPlayer) leave() {
	_ = p.client.Close()
	p.shutDown()
}

// connect makes the topic known to the client, which would look for it only once a second.
func (p *consumerPlayer) connect() {
	if _, err := p.client.GetMetadata(&p.topic, false, int(patience.Milliseconds())); err != nil {
		p.stop("metadata: %v", err)
	}
}

// fill appends messages to a partition of the player's topic, with a producer of its own.
func (p *consumerPlayer) fill(partition int, some []*content) {
	reports := make(chan kafka.Event, len(some))
	for _, c := range some {
		msg := c.message(p.topic, p.shared)
		msg.TopicPartition.Partition = int32(partition)
		if err := p.cluster.filler.Produce(msg, reports); err != nil {
			p.stop("fill: %v", err)
		}
	}
	for range some {
		p.eventually(func() bool { return len(reports) > 0 }, "a message is filled in")
		if msg, ok := (<-reports).(*kafka.Message); !ok || msg.TopicPartition.Error != nil {
			p.stop("fill: %v", msg)
		}
	}
}

// at is a list of one partition.
func (p *consumerPlayer) at(partition int) []kafka.TopicPartition {
	topic := p.topic
	return []kafka.TopicPartition{{Topic: &topic, Partition: int32(partition)}}
}

// all is a list of all partitions.
func (p *consumerPlayer) all() (list []kafka.TopicPartition) {
	for i := range p.partitions {
		list = append(list, p.at(i)...)
	}
	return list
}

// list renders a list of partitions.
func (p *consumerPlayer) list(tps []kafka.TopicPartition) string {
	parts := make([]string, len(tps))
	for i, tp := range tps {
		topic, metadata, leader := "nil", "nil", "nil"
		if tp.Topic != nil {
			topic = strings.ReplaceAll(*tp.Topic, p.topic, "topic")
		}
		if tp.Metadata != nil {
			metadata = *tp.Metadata
		}
		if tp.LeaderEpoch != nil {
			leader = fmt.Sprint(*tp.LeaderEpoch)
		}
		parts[i] = fmt.Sprintf("%s[%d]@%v %s metadata=%s epoch=%s", topic, tp.Partition, tp.Offset, describe(tp.Error), metadata, leader)
	}
	return fmt.Sprint(tps == nil, parts)
}

func (p *consumerPlayer) assign(offsets []kafka.Offset) {
	list := p.all()
	for i := range list {
		list[i].Offset = offsets[i]
	}
	p.answered(p.client.Assign(list), kafka.ErrNoError)
}

// subscribe joins the group and waits until all partitions are there.
func (p *consumerPlayer) subscribe() {
	var callback kafka.RebalanceCb
	if p.callback {
		callback = func(_ *kafka.Consumer, event kafka.Event) error {
			switch e := event.(type) {
			case kafka.AssignedPartitions:
				p.joined += len(e.Partitions)
				p.see("callback: assigned %s", p.list(e.Partitions))
			case kafka.RevokedPartitions:
				p.see("callback: revoked %s", p.list(e.Partitions))
			default:
				p.fault("callback: %T", event)
			}
			return nil
		}
	}
	p.answered(p.client.SubscribeTopics([]string{p.topic}, callback), kafka.ErrNoError)
	p.eventually(func() bool {
		if msg := p.take(p.client.Poll(100)); msg != nil {
			p.early = append(p.early, msg)
		}
		if p.callback {
			return p.joined == p.partitions
		}
		assignment, err := p.client.Assignment()
		return err == nil && len(assignment) == p.partitions
	}, "the group's partitions are assigned")
}

func (p *consumerPlayer) seek(partition int, offset kafka.Offset, several bool) {
	list := p.at(partition)
	list[0].Offset = offset
	if several {
		result, err := p.client.SeekPartitions(list)
		p.see("%s", p.list(result))
		p.answered(err, kafka.ErrNoError)
		return
	}
	type seeker interface {
		Seek(partition kafka.TopicPartition, ignored int) error
	}
	p.answered(p.client.(seeker).Seek(list[0], 0), kafka.ErrNoError)
}

func (p *consumerPlayer) setBroker(set func(int) error) {
	if err := set(-1); err != nil {
		p.stop("%v", err)
	}
}
