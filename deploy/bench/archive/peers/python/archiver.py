"""Archive a Kafka topic of CloudEvents in Parquet on S3, as it is written by hand: put the file, then commit the offsets.

Settings come from the environment. It runs until it is ended.
"""

import os
import time
import uuid

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, KafkaException, TopicPartition

MAX_ROWS, MAX_AGE = 50_000, 10.0
ATTRIBUTES = ("ce_id", "ce_source", "ce_type", "ce_time")
SCHEMA = pa.schema(
    [("partition", pa.int32()), ("offset", pa.int64()), ("ts", pa.timestamp("ms")), ("key", pa.string())]
    + [(name, pa.string()) for name in ATTRIBUTES]
    + [("data", pa.string())]
)


class Archiver:
    def __init__(self):
        self.topic, self.bucket = os.environ["TOPIC"], os.environ["BUCKET"]
        self.s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name="us-east-1")
        self.consumer = Consumer(
            {
                "bootstrap.servers": os.environ["BROKER"],
                "group.id": os.environ["GROUP"],
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self.consumer.subscribe([self.topic], on_revoke=lambda *_: self.clear())
        self.clear()

    def clear(self):
        """Forget what is buffered: it is written, or its next owner reads it again."""
        self.rows, self.ends, self.since = [], {}, 0.0

    def add(self, message):
        if message.error():
            raise KafkaException(message.error())
        headers = dict(message.headers())
        self.since = self.since or time.monotonic()
        self.rows.append(
            (message.partition(), message.offset(), message.timestamp()[1], message.key().decode())
            + tuple(headers[name].decode() for name in ATTRIBUTES)
            + (message.value().decode(),)
        )
        self.ends[message.partition()] = message.offset() + 1
        if len(self.rows) >= MAX_ROWS:
            self.flush()

    def flush(self):
        columns = [pa.array(values, field.type) for values, field in zip(zip(*self.rows), SCHEMA)]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, schema=SCHEMA), sink, compression="zstd")
        key = f"events/{time.time_ns()}-{uuid.uuid4()}.parquet"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=sink.getvalue().to_pybytes())
        ends = [TopicPartition(self.topic, partition, offset) for partition, offset in self.ends.items()]
        self.consumer.commit(offsets=ends, asynchronous=False)
        self.clear()

    def run(self):
        while True:
            for message in self.consumer.consume(5000, 0.5):
                self.add(message)
            if self.rows and time.monotonic() - self.since > MAX_AGE:
                self.flush()


if __name__ == "__main__":
    Archiver().run()
