// Package segment is the file format of the archive: Parquet, one row for each record of the log, with the attributes
// of a CloudEvent unpacked into columns and enough beside them to give the record back byte for byte.
//
//	kafka_partition    int32
//	kafka_offset       int64
//	kafka_ts           timestamp, microseconds: broker append time
//	kafka_key          bytes, null where the record has none
//	ce_id ce_source ce_type ce_subject ce_dataschema ce_datacontenttype traceparent    text, null where absent
//	ce_time ce_recordedtime    timestamp, microseconds, null where absent or not RFC 3339
//	ce_ext             text: JSON object of the remaining extensions, every value in its string form
//	header_order       text: names of the record's headers in order, "*" for one that stands in headers
//	headers            list of (key, value, is_null): what no column gives back exactly; all of them without header_order
//	data               text: the event's data if it is strict JSON
//	data_bytes         bytes: the event's data if it is anything else
//	value              bytes: the record's value where it is more than the data (structured mode)
//
// Typed columns stand after these, by name: copies of members of the data that a schema asks for with x-signalbox-column.
//
//	boolean integer number text    boolean, int64, double, text
//	timestamp date                 timestamp, microseconds; date
//
// They are for queries, and for pruning by their bounds. One is null where the data has no such member, or a value that the
// column cannot hold, and where the row's type does not ask for it; a file that was written before the column was asked for
// does not have it at all. data is the truth, and merging files fills them in.
//
// Timestamps are UTC in a type without zone, so that DuckDB reads TIMESTAMP and no session setting changes a result.
// data is text only where every JSON engine accepts it: one malformed event must not break a query over a million.
// Binary and structured CloudEvents fill the same columns. A record that is no CloudEvent has no ce_ columns; its key,
// value and headers are kept as they came.
package segment
