// Package compact replaces the many small files of an hour by few large, sorted ones, and removes what was replaced once
// nobody can need it. The ledger decides: a swap is one step of it, by compare-and-swap, so any number of compactors may run
// beside each other and beside archivers.
//
// A group is the live files of a topic, an event type and an append hour. It is closed when every partition of the topic is
// archived through the end of the hour and some slack. The steps of a closed group with files to merge:
//
//  1. the aftermath of the topic's swap before: its manifest, and after a purge the removal of the objects
//  2. rows of all files into scratch files, sorted; each file's digest is checked
//  3. each new file, create-only, under a name that has the number of the swap and the digest of the bytes
//  4. one ledger transaction: the old files leave, the new ones enter, if all old ones are still live and the number is free
//  5. the swap's own manifest, create-only
//
// What is where after a crash, and what the next compactor does:
//
//	crash                       left behind                          next compactor
//	in 1 or 2                   nothing                              the same again
//	in 3                        files that no swap lists             the same again: same input, same names
//	in 4, committed             a complete swap                      1
//	between 4 and 5             a swap without its manifest          1
//	another compactor was first files that no swap lists             looks again; they are garbage
//
// Rows are moved as they are. Of deliveries of one event, known by source and id, the first stays: but a later one is left out
// only if no dataset can tell, which is when both say the same and the first comes first on both clocks (see duplicates).
//
// A file that was replaced stays for a grace, for readers that planned on it before. Then it is purged, unless a dataset was
// made from it: first the ledger says so in a swap of its own kind, so that nobody plans on the file any more, then the object
// goes.
package compact
