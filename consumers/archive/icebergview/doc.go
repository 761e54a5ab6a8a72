// Package icebergview publishes the archive as tables of Apache Iceberg (format version 2): one for each topic, where a topic that
// is made again gets another. A table is a view. The ledger stays the authority, files stay where they are and as they are, and no
// event waits for a snapshot.
//
// A look at a topic:
//
//  1. the table's place, and its metadata
//  2. what is live in the ledger, in one query
//  3. if that differs from what the current snapshot shows: manifests, and a list of them, for the difference. Files that came
//     are an append; where a compaction put files in the place of others, both are in one snapshot, an overwrite
//  4. new metadata, under a name of its own; with it go the snapshots that are too old or too many
//  5. one transaction of the database moves the table from the metadata of 1 to that of 4, if it is still there
//
// What is compared is sets of files, so publishing the same again does nothing, and whatever else is in a table leaves it. The
// property signalbox.ledger-seq of a snapshot names the step of the ledger that it shows: together with the number of files it
// tells a table that is up to date from one that is not. A crash before 5 leaves metadata that nothing refers to, which is swept
// when it is an hour old; a crash after 5 leaves nothing to do. Of publishers that work at the same time one gets through 5.
//
// # Readers
//
// Where the tables are stands in the tables iceberg_tables and iceberg_namespace_properties of Signalbox's database, as Iceberg's
// SQL catalogs have it: PyIceberg's SqlCatalog and Spark's JdbcCatalog read them as they are. They need SELECT on those two, and
// to read the objects below iceberg/ and archive/. They must not be given more: a table is not theirs to change, and gc.enabled
// is false so that no engine removes the archive's files.
//
// Files have no field ids; schema.name-mapping.default knows columns by their names. Columns are only ever added.
//
// A table is partitioned by the hour of kafka_ts, which every file has one of. It is not partitioned by ce_type, although keys
// are: a file of rare types has several (_mixed). Instead the bounds of ce_type, which are one value for all other files, leave
// out what a filter does not want. So do those of kafka_partition, kafka_offset, kafka_ts and ce_time. All come from the ledger:
// no file is read to be published.
//
// # Files that were replaced
//
// A snapshot that is kept shows files that the live archive has not any more. The transaction of 5 also says what the oldest step
// is that a kept snapshot shows, and the purge of replaced files leaves those that were replaced after it (pgcatalog.Views is one
// of its compact.References). 1 comes before 2, so steps of snapshots never go back, and no snapshot to come can show less. If
// publishing stands still, what the tables show stays readable however long that takes, and the bucket keeps what was replaced
// meanwhile; the gauge signalbox.archive.compact.pinned counts it. Who gives up the view drops its tables, which lets go:
//
//	DELETE FROM iceberg_tables WHERE catalog_name = 'signalbox';
package icebergview
