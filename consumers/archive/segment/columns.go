package segment

import (
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// columns is a row as Parquet sees it. The order and the names of the fields are the format: add at the end only.
// Text is []byte, because a nil slice is null and an empty one is not.
type columns struct {
	Partition       int32    `parquet:"kafka_partition,dict"`
	Offset          int64    `parquet:"kafka_offset,delta"`
	AppendTime      int64    `parquet:"kafka_ts,delta,timestamp(microsecond:local)"`
	Key             []byte   `parquet:"kafka_key,optional"`
	ID              []byte   `parquet:"ce_id,optional,string"`
	Source          []byte   `parquet:"ce_source,optional,string,dict"`
	Type            []byte   `parquet:"ce_type,optional,string,dict"`
	Subject         []byte   `parquet:"ce_subject,optional,string"`
	Time            *int64   `parquet:"ce_time,optional,timestamp(microsecond:local)"`
	RecordedTime    *int64   `parquet:"ce_recordedtime,optional,timestamp(microsecond:local)"`
	DataSchema      []byte   `parquet:"ce_dataschema,optional,string,dict"`
	DataContentType []byte   `parquet:"ce_datacontenttype,optional,string,dict"`
	TraceParent     []byte   `parquet:"traceparent,optional,string"`
	Ext             []byte   `parquet:"ce_ext,optional,string"`
	HeaderOrder     []byte   `parquet:"header_order,optional,string,dict"`
	Headers         []header `parquet:"headers,list"`
	Data            []byte   `parquet:"data,optional,string"`
	DataBytes       []byte   `parquet:"data_bytes,optional"`
	Value           []byte   `parquet:"value,optional"`
}

// header is bytes on both sides: Kafka promises no UTF-8. A flag tells null from empty, because an optional value would
// meet the fault that shape is about.
type header struct {
	Key   []byte `parquet:"key"`
	Value []byte `parquet:"value"`
	Null  bool   `parquet:"is_null"`
}

const (
	columnID = "ce_id"
	// rowGroup is DuckDB's own unit of parallel reading.
	rowGroup = 122880
	// bloomBits per value gives about 1 % false answers.
	bloomBits = 10
	// dictionaryBytes is where a dictionary stops paying: the column goes on in plain encoding.
	dictionaryBytes = 1 << 20
)

// writerOptions has a codec of its own for each writer: encoders shared by all would carry channels from one test's
// bubble of time into another's.
func writerOptions() []parquet.WriterOption {
	o := []parquet.WriterOption{
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}),
		parquet.MaxRowsPerRowGroup(rowGroup),
		parquet.WriteBufferSize(0), // it writes to memory
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.DataPageStatistics(false), // the index has them
		parquet.BloomFilters(parquet.SplitBlockFilter(bloomBits, columnID)),
		parquet.CreatedBy("signalbox", "1", "segment"),
		parquet.KeyValueMetadata("signalbox.segment", "1"),
	}
	// Bounds of what is opaque help no query.
	for _, path := range [][]string{
		{"kafka_key"}, {"traceparent"}, {"ce_ext"}, {"header_order"}, {"data"}, {"data_bytes"}, {"value"}, {"headers", "list", "element", "key"}, {"headers", "list", "element", "value"},
	} {
		o = append(o, parquet.SkipPageBounds(path...))
	}
	return o
}
