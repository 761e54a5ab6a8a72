// Package conform holds the events of streams against what the streams declare. Producers that write to Kafka and not
// through the HTTP API are bound by nothing, and the archive takes whatever is in the log; here their violations are copied
// to the dead letters, where they are counted, looked at and found by SQL. The record itself stays where it is.
//
// Every record is checked. One that came through the API could be told apart only by headers, which anybody can write, and
// a check costs less than taking the record from Kafka.
//
// An event that fits what its stream declares now is right. One that does not is judged by what was declared when it was
// appended, for which the catalog has every generation of a spec with its time: a group that reads a stream from its start
// finds what it would have found on the day. Which generation that was is known as well as the clocks agree (Config.Skew), and
// where it was none, or one that cannot be read or compiled, nothing is held against the event. What passes in this way is
// counted as superseded. A verdict against an event needs a look at the specs that is newer than the event.
//
// Violations are copied at least once: the position is committed after the copy. A copy that is made again has the same
// sb_dlq_stage, sb_dlq_topic_id, sb_dlq_partition and sb_dlq_offset.
package conform
