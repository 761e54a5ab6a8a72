package segment

import (
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// TestFormat holds the format: files are for ever.
func TestFormat(t *testing.T) {
	const want = `message columns {
	required int32 kafka_partition (INT(32,true));
	required int64 kafka_offset (INT(64,true));
	required int64 kafka_ts (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS));
	optional binary kafka_key;
	optional binary ce_id (STRING);
	optional binary ce_source (STRING);
	optional binary ce_type (STRING);
	optional binary ce_subject (STRING);
	optional int64 ce_time (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS));
	optional int64 ce_recordedtime (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS));
	optional binary ce_dataschema (STRING);
	optional binary ce_datacontenttype (STRING);
	optional binary traceparent (STRING);
	optional binary ce_ext (STRING);
	optional binary header_order (STRING);
	required group headers (LIST) {
		repeated group list {
			required group element {
				required binary key;
				required binary value;
				required boolean is_null;
			}
		}
	}
	optional binary data (STRING);
	optional binary data_bytes;
	optional binary value;
}`
	if got := newTyped(nil).schema().String(); got != want {
		t.Errorf("the format has changed:\n%s", got)
	}
	const more = `
	optional boolean a;
	optional int64 b (INT(64,true));
	optional double c;
	optional binary d (STRING);
	optional int64 e (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS));
	optional int32 f (DATE);
}`
	var all []schema.Column
	for i, kind := range []schema.ColumnKind{schema.ColumnBoolean, schema.ColumnInteger, schema.ColumnNumber, schema.ColumnText, schema.ColumnTimestamp, schema.ColumnDate} {
		all = append([]schema.Column{{Name: string(rune('a' + i)), Property: "p", Kind: kind}}, all...)
	}
	if got := newTyped(Columns{"t": all}).schema().String(); got != strings.TrimSuffix(want, "\n}")+more {
		t.Errorf("the format of typed columns has changed:\n%s", got)
	}
}
