// Package simulation has no code but tests: it lives days of the archive in seconds.
//
// A bubble of testing/synctest owns the clock. In it are a broker in memory (kfake, with its own network, either group
// protocol), a ledger and a bucket in memory, and the real programs: two or three archivers, each with its own tap and
// connections, and a compactor that also purges. Producers write to topics of all kinds: bursts and idle hours, late and
// repeated events, records that are no events, transactions that abort, a compacted topic, topics that are deleted and made
// again. A plan drawn from the seed kills, stops, and cuts off processes, and spoils their calls:
//
//	process    killed at random, or before or after one of its steps; stopped for longer than its session; restarted
//	bucket     refuses, loses its answer, is slow, does it minutes after it said no, breaks off while it is read
//	ledger     the same, and serialization failures
//	kafka      connections cut or held; NOT_LEADER, REBALANCE_IN_PROGRESS and the like; leaders and coordinators move
//	log        retention ahead of the archive, compaction, topics made again
//
// Every eight hours the faults pause, the archive catches up, and a referee with a log of its own reads all that was archived
// since. Nothing may be lost, doubled, altered or out of order; what is missing was removed before it could be archived, and
// where retention did that, the ledger says so; no partition was ever said to be complete beyond what was archived, nor for
// less than before; each flush was announced once; chains of manifests are whole, and the ledger made again from them is the
// same. A kind of fault that was not met makes a day void.
//
// What a seed fixes: the plan, the traffic, and, for each call of each process, whether it is spoiled and how. Each comes
// from a stream of random numbers of its own, named after what it is for, so that one more call here shifts nothing there.
// What it cannot fix: how the Go scheduler interleaves goroutines that are ready at the same moment, the choice of select,
// the order of maps, topic ids, and the jitter of back-offs. So the same seed meets the same faults at the same moments of
// much the same work, and mostly, not always, ends the same.
package simulation
