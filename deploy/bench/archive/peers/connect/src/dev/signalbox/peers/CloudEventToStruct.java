package dev.signalbox.peers;

import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Makes a row of a record whose CloudEvents attributes are headers. Kafka Connect has transforms from values to headers, and
 * none back: a sink would drop them.
 */
public final class CloudEventToStruct implements Transformation<SinkRecord> {
  private static final List<String> ATTRIBUTES = List.of("ce_id", "ce_source", "ce_type", "ce_time");
  private static final Schema ROW = row();

  private static Schema row() {
    SchemaBuilder b = SchemaBuilder.struct()
        .field("partition", Schema.INT32_SCHEMA)
        .field("offset", Schema.INT64_SCHEMA)
        .field("ts", Schema.INT64_SCHEMA)
        .field("key", Schema.OPTIONAL_STRING_SCHEMA);
    ATTRIBUTES.forEach(name -> b.field(name, Schema.OPTIONAL_STRING_SCHEMA));
    return b.field("data", Schema.OPTIONAL_STRING_SCHEMA).build();
  }

  @Override
  public SinkRecord apply(SinkRecord record) {
    Struct row = new Struct(ROW)
        .put("partition", record.kafkaPartition())
        .put("offset", record.kafkaOffset())
        .put("ts", record.timestamp())
        .put("key", record.key())
        .put("data", record.value());
    record.headers().forEach(header -> {
      if (ATTRIBUTES.contains(header.key())) {
        row.put(header.key(), header.value());
      }
    });
    return record.newRecord(record.topic(), record.kafkaPartition(), null, null, ROW, row, record.timestamp());
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public void configure(Map<String, ?> settings) {}

  @Override
  public void close() {}
}
