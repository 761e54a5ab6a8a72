// Package compile turns a Dataset spec into SQL for DuckDB: point-in-time correct on two clocks, in a total order, and
// the same text for the same input.
//
// Event time is when something happened, available time is when it could be known; available is never before event.
// A row of the result is one spine event at its event time T. A feature is the newest row (by event time) among those
// with available time <= T. A label is the oldest row with event time >= T among those with available time <= T +
// maturity. Both choose among what was visible, so a row that arrives late changes no dataset that should not know it:
//
//   - Feature. Walk an entity's rows by availability and keep only those that are at least as new as every row before
//     them: a row that came late never was the newest. An ASOF join on availability then is exact.
//   - Label. An ASOF join on event time finds the oldest row. Where that one came too late, a plain join over the few
//     rows concerned looks for the next.
//
// No event is its own feature, and none both feature and label of a row: a feature from the spine's or the label's event
// type must have happened before T, a label from the spine's after it.
package compile
