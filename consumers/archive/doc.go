// Package archive copies the log into the bucket: each record of each partition exactly once, as rows of Parquet files
// that the ledger lists. It is an events.Sink; a tap delivers to it.
//
// An assignment goes through these states:
//
//	          Assigned: ledger.Claim -> epoch, next
//	              |
//	 Records      v      full, new hour, too old, over budget
//	+-------- [ taking ] ------------------------------------> [ flushing ] --+
//	+---------->  | ^                                               |         | ctx ended: goes on
//	              | +---------------- committed --------------------+ <-------+ where it stopped
//	              |                                                 |
//	              | Revoked: last flush, within its bound           | fenced, conflict: buffer dropped
//	              v                                                 v
//	           [ gone ]                                         [ broken ] --Assigned--> a new claim
//
// A flush is one batch of offsets [start, end) of one append hour. Its steps, each repeated until it succeeds:
//
//  1. the manifest of the flush before, if it is not known to be there
//  2. each file, create-only, with its SHA-256, under a name that has the epoch of the claim
//  3. one ledger transaction: next moves from start to end if nobody else moved it or claimed the partition; flush, files
//     and the event archive.sealed
//  4. its own manifest, create-only
//  5. Kafka's committed offset, which is only for people
//
// Offsets are half-open ranges, because control records and compaction leave offsets without a record. A delivery that
// was refused ends the assignment for the same reason: the next one would look like such a gap.
//
// What is where after a crash, and what the next owner does:
//
//	crash                          left behind                     next owner
//	before 2                       nothing                         reads [start, ...) again
//	between files, or 2 and 3      files that no flush lists       reads again; other epoch, other names; the files are garbage
//	in 2, PUT got through          the same                        the same
//	in 3, not committed            the same                        the same
//	in 3, committed, no answer     a complete flush                starts at end
//	between 3 and 4                a flush without its manifest    writes it when it claims
//	between 4 and 5                a complete flush                starts at end; Kafka's offset is late
//	pause or partition at any step somebody else may have claimed  3 of the old owner finds no row to move: ErrFenced
//
// And without a crash:
//
//	fault                              effect
//	bucket or ledger fails             the step is repeated, deliveries wait, nothing moves
//	PUT's answer is lost               the repeated PUT finds the object and compares digests
//	commit's answer is lost            the repeated commit returns the flush that is there
//	another object under the name      ErrConflict: the assignment ends, the next epoch has other names
//	retention overtook us              a flush without files, reason lost_to_retention, and a warning
//	topic deleted and made again       another topic id, another chain from offset 0; nobody claims the old one again, so its
//	                                   last manifest, if it is missing, is written by whoever notices that nobody has it
//	stop                               Revoked and Run flush within Drain; the rest is read again
//
// A partition is complete up to its newest archived append time, or, when the tap says that it is idle, up to Skew ago.
// Only an idle notice moves the clock: one that came with records may have waited in a queue.
package archive
