// Package kafka carries events over Kafka: the CloudEvents binding, a producer, a consumer with one ordered worker per
// partition, dead letters, a follower for compacted topics, a tap of raw records for the archive, and topics.
//
// What is not obvious:
//
//   - Topics are made by Admin.EnsureTopics, never by publishing: automatic creation would pick the wrong timestamp type.
//   - A record's context is never the caller's: franz-go fails a whole batch when its first record's context ends, so
//     one client that hangs up would fail its neighbours. Waiting is bounded here instead.
//   - An offset is committed after the effect, by the lane that owns the partition, and never once the partition was
//     given back: with the new generation such a commit would rewind its next owner.
//   - franz-go keeps a topic's first id for ever. A topic that was deleted and made again must be purged from the client
//     to be read; group and Follower do that when the broker says UNKNOWN_TOPIC_ID.
//   - Control records are fetched by Tap and Follower and dropped here, so that positions pass them and "caught up" can
//     be seen behind a transaction.
package kafka
