package otlpsink

import (
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// attributes converts a list of attributes to plain Go values.
func attributes(from []*commonpb.KeyValue) map[string]any {
	to := make(map[string]any, len(from))
	for _, kv := range from {
		to[kv.GetKey()] = value(kv.GetValue())
	}
	return to
}

func value(from *commonpb.AnyValue) any {
	switch v := from.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		list := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, item := range v.ArrayValue.GetValues() {
			list = append(list, value(item))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return attributes(v.KvlistValue.GetValues())
	}
	return nil
}

func serviceName(resource map[string]any) string {
	name, _ := resource["service.name"].(string)
	return name
}

// id converts an id's bytes; those of a wrong length give the zero id, which is invalid.
func id[T ~[8]byte | ~[16]byte](from []byte) T {
	var to T
	if len(from) == len(to) {
		for i := range from {
			to[i] = from[i]
		}
	}
	return to
}

func nanos(unix uint64) time.Time { return time.Unix(0, int64(unix)) }
