package segment

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/events/lex"
	"github.com/signalbox-ml/signalbox/events/schema"
)

// valueOf turns the text of a JSON value, which is one, into the value of a typed column. Null stands for all that a column of
// the kind cannot hold.
func valueOf(kind schema.ColumnKind, raw []byte) (v parquet.Value) {
	switch kind {
	case schema.ColumnBoolean:
		if raw[0] != 't' && raw[0] != 'f' {
			return v
		}
		v = parquet.BooleanValue(raw[0] == 't')
	case schema.ColumnInteger:
		n, ok := integerOf(raw)
		if !ok {
			return v
		}
		v = parquet.Int64Value(n)
	case schema.ColumnNumber:
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return v
		}
		v = parquet.DoubleValue(f)
	default:
		if raw[0] != '"' {
			return v
		}
		return valueOfText(kind, unquote(raw))
	}
	v.SetDefinitionLevel(1)
	return v
}

func valueOfText(kind schema.ColumnKind, text []byte) (v parquet.Value) {
	switch kind {
	case schema.ColumnTimestamp:
		t, ok := parseTime(text)
		if !ok {
			return v
		}
		v = parquet.Int64Value(t)
	case schema.ColumnDate:
		t, err := time.Parse(time.DateOnly, string(text))
		if err != nil {
			return v
		}
		v = parquet.Int32Value(int32(t.Unix() / (24 * 3600)))
	default:
		v = parquet.ByteArrayValue(text)
	}
	v.SetDefinitionLevel(1)
	return v
}

// integerOf reads a number that is an integer of 64 bits, however it is written: 1.0 and 1e3 are.
func integerOf(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	const exact = 1<<53 - 1 // up to here a float tells every integer from its neighbours
	f, err := strconv.ParseFloat(string(raw), 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= exact
}

// unquote returns what a JSON string says. It aliases raw where nothing in it is escaped.
func unquote(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return lex.Unescape(nil, text)
}
