package icebergview

import (
	"encoding/json"
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Ids of the columns whose bounds the ledger knows.
const (
	columnPartition  = 1
	columnOffset     = 2
	columnAppendTime = 3
	columnType       = 7
	columnTime       = 9
)

// hourField is the id of the only partition field: the hour of the broker's append time.
const hourField = 1000

// columns returns the columns of the archive's files, in their order. An id is for ever: a column that is added at the end
// takes the next one that is free, which is not the one that follows here.
func columns() *iceberg.Schema {
	p := iceberg.PrimitiveTypes
	field := func(id int, name string, typ iceberg.Type, doc string) iceberg.NestedField {
		return iceberg.NestedField{ID: id, Name: name, Type: typ, Doc: doc}
	}
	required := func(f iceberg.NestedField) iceberg.NestedField {
		f.Required = true
		return f
	}
	header := &iceberg.StructType{FieldList: []iceberg.NestedField{
		required(field(21, "key", p.Binary, "")),
		required(field(22, "value", p.Binary, "")),
		required(field(23, "is_null", p.Bool, "true: the value is null, not empty")),
	}}
	return iceberg.NewSchema(0,
		required(field(columnPartition, "kafka_partition", p.Int32, "")),
		required(field(columnOffset, "kafka_offset", p.Int64, "")),
		required(field(columnAppendTime, "kafka_ts", p.Timestamp, "broker append time, UTC")),
		field(4, "kafka_key", p.Binary, ""),
		field(5, "ce_id", p.String, ""),
		field(6, "ce_source", p.String, ""),
		field(columnType, "ce_type", p.String, "null: no CloudEvent"),
		field(8, "ce_subject", p.String, ""),
		field(columnTime, "ce_time", p.Timestamp, "event time, UTC"),
		field(10, "ce_recordedtime", p.Timestamp, "UTC"),
		field(11, "ce_dataschema", p.String, ""),
		field(12, "ce_datacontenttype", p.String, ""),
		field(13, "traceparent", p.String, ""),
		field(14, "ce_ext", p.String, "JSON object of further attributes"),
		field(15, "header_order", p.String, ""),
		required(field(16, "headers", &iceberg.ListType{ElementID: 20, Element: header, ElementRequired: true}, "what no column gives back exactly")),
		field(17, "data", p.String, "data that is strict JSON"),
		field(18, "data_bytes", p.Binary, "any other data"),
		field(19, "value", p.Binary, "the whole value, where it is more than the data"),
	)
}

func partitionSpec() iceberg.PartitionSpec {
	return iceberg.NewPartitionSpec(iceberg.PartitionField{
		SourceIDs: []int{columnAppendTime}, FieldID: hourField, Name: "kafka_ts_hour", Transform: iceberg.HourTransform{},
	})
}

// Keys of a table's properties and of a snapshot's.
const (
	propTopic   = "signalbox.topic"
	propTopicID = "signalbox.topic-id"
	propSeq     = "signalbox.ledger-seq"
)

// properties returns what every table says. The files have no field ids, so readers must know columns by name; and nobody but
// Signalbox may remove files.
func properties(t topic) (iceberg.Properties, error) {
	mapping, err := json.Marshal(columns().NameMapping())
	if err != nil {
		return nil, fmt.Errorf("name mapping: %w", err)
	}
	return iceberg.Properties{
		propTopic:                            t.name,
		propTopicID:                          t.id.String(),
		table.DefaultNameMappingKey:          string(mapping),
		table.GCEnabledKey:                   "false",
		table.ManifestMergeEnabledKey:        "true",
		table.ManifestMinMergeCountKey:       "20",
		table.MetadataPreviousVersionsMaxKey: "20",
	}, nil
}
