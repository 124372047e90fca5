//go:build integration

package faults

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spans returns what a traced client's spans of that name say, each ended.
func (c *client) spans(name string) []span {
	var spans []span
	for _, s := range c.recorder.Ended() {
		if s.Name() == name {
			attrs := map[string]string{}
			for _, kv := range s.Attributes() {
				attrs[string(kv.Key)] = kv.Value.String()
			}
			spans = append(spans, span{status: s.Status(), attributes: attrs})
		}
	}
	return spans
}

// span is what a span says of an operation's outcome.
type span struct {
	status     sdktrace.Status
	attributes map[string]string
}

// spanCount says how many spans were started and how many have ended.
func (c *client) spanCount() string {
	return fmt.Sprintf("%s started, %s ended", count(len(c.recorder.Started())), count(len(c.recorder.Ended())))
}

// checkEnded tells of spans that were started and have not ended.
func (c *client) checkEnded() (wrong problems) {
	if started, ended := len(c.recorder.Started()), len(c.recorder.Ended()); started != ended {
		wrong.add("%d spans started, %d ended", started, ended)
	}
	return wrong
}

// checkPublished tells what is wrong with the publish spans of a closed sender: they are to be one for each message, and
// to say what the application was told of it.
func (c *client) checkPublished(s *sender) (wrong problems) {
	times := make([]int, len(s.messages))
	for _, span := range c.spans("kafka.publish") {
		i, err := strconv.Atoi(span.attributes["messaging.kafka.message.key"])
		if err != nil || i >= len(s.messages) {
			wrong.add("a publish span has the attributes %v", span.attributes)
			continue
		}
		times[i]++
		m := s.messages[i]
		told := kafka.TopicPartition{Partition: m.partition, Offset: kafka.OffsetInvalid, Error: m.refused}
		if len(m.reports) > 0 {
			told = m.reports[0]
		}
		if !span.says(told) || span.attributes["messaging.destination.name"] != s.topic {
			wrong.add("the publish span of message %d, of which the application was told %v, has the status %+v and the attributes %v",
				i, told, span.status, span.attributes)
		}
	}
	for i, n := range times {
		if n != 1 {
			wrong.add("message %d has %d publish spans", i, n)
		}
	}
	return wrong
}

// says tells whether the span says what tp does: that all went well, or what did not, and where the message is.
func (s span) says(tp kafka.TopicPartition) bool {
	status, offset := sdktrace.Status{}, ""
	if tp.Error != nil {
		status = sdktrace.Status{Code: codes.Error, Description: tp.Error.Error()}
	}
	if tp.Offset >= 0 {
		offset = strconv.FormatInt(int64(tp.Offset), 10)
	}
	return s.status == status && s.attributes["error.type"] == name(tp.Error) && s.attributes["messaging.kafka.offset"] == offset &&
		s.attributes["messaging.destination.partition.id"] == strconv.Itoa(int(tp.Partition))
}

// checkHandledSpans tells what is wrong with the spans of that name: they are to be one for each time that a message was
// handled.
func (c *client) checkHandledSpans(name string, handled map[position]int) (wrong problems) {
	missing := maps.Clone(handled)
	for _, span := range c.spans(name) {
		partition, err := strconv.Atoi(span.attributes["messaging.destination.partition.id"])
		offset, err2 := strconv.ParseInt(span.attributes["messaging.kafka.offset"], 10, 64)
		at := position{int32(partition), kafka.Offset(offset)}
		if err != nil || err2 != nil || missing[at] == 0 || span.status != (sdktrace.Status{}) {
			wrong.add("a %s span too many, or with an error: status %+v, attributes %v", name, span.status, span.attributes)
		}
		missing[at]--
	}
	for at, n := range missing {
		if n > 0 {
			wrong.add("%d %s spans too few of the message at %v", n, name, at)
		}
	}
	return wrong
}
