// Package inference serves the packages that tags point at, over HTTP.
//
// One goroutine (Server.Run) brings the served table up to the newest known tags. For each tag that moved:
//
//	fetch    the package's files by its digest, unless they are in the cache; hash every byte
//	load     the model beside the one that serves, one at a time
//	check    that it answers its golden rows as training did; this warms it up, too
//	persist  the tag's new generation and arms, so that no restart can go back
//	swap     the table, a pointer: a request sees the old value or the new one, never a mixture
//	drain    models that no route needs: they are closed when their last request has its answer
//
// Where a step fails the old generation keeps serving, and the steps are tried again with back-off. The packages of the
// generation before stay loaded: a rollback only swaps.
//
//	fault                                  effect
//	registry, Kafka and object store away  the table on disk is served, also after a restart
//	a byte of a package is wrong           the generation is refused, with the digest in the log
//	golden rows are not reproduced         the generation is refused
//	a package cannot be fetched            its tag waits; other tags do not
//	the table cannot be written            no swap: a generation that is not on disk could be lost
//
// Not obvious: a request takes a reference to its model and gives it back after the answer is computed. The reference
// count starts at one, for the table; who finds it at zero looks at the table again, which has changed.
package inference
