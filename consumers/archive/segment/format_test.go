package segment

import (
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestShapeKnowsEveryOptionalColumn fails when a column is added and forgotten in shape.
func TestShapeKnowsEveryOptionalColumn(t *testing.T) {
	seen := map[uint32]string{new(columns).shape(): "nothing set"}
	typ := reflect.TypeFor[columns]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !strings.Contains(f.Tag.Get("parquet"), ",optional") {
			continue
		}
		var c columns
		field := reflect.ValueOf(&c).Elem().Field(i)
		if f.Type.Kind() == reflect.Pointer {
			field.Set(reflect.New(f.Type.Elem()))
		} else {
			field.Set(reflect.MakeSlice(f.Type, 0, 1))
		}
		if other, ok := seen[c.shape()]; ok {
			t.Errorf("%s: the shape is that of %s", f.Name, other)
		}
		seen[c.shape()] = f.Name
	}
	if len(seen) != 16 {
		t.Errorf("%d optional columns", len(seen)-1)
	}
}

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
	if got := parquet.SchemaOf(columns{}).String(); got != want {
		t.Errorf("the format has changed:\n%s", got)
	}
}
