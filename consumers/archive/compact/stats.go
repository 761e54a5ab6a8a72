package compact

import (
	"sync/atomic"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Stats is what a Compactor has done since it was made.
type Stats struct {
	Compactions  int64 // swaps that put merged files in the place of others
	FilesBefore  int64 // files that those replaced
	FilesAfter   int64
	BytesBefore  int64
	BytesAfter   int64
	Rows         int64 // of merged files
	Duplicates   int64 // rows that were left out, because the event is there
	Repeated     int64 // rows of events that are there, but which say something else, or came first on one clock
	Beaten       int64 // swaps that another compactor was faster with
	Failures     int64 // merges and purges that failed, and are tried again
	Conflicts    int64 // keys that held other bytes
	Purged       int64 // replaced files that were removed
	PurgedBytes  int64
	Pinned       int64 // replaced files that stay, because a dataset was made from them; of the last purge
	LargestSort  int64 // bytes of records in memory at the most
	BytesSpilled int64 // to scratch files
}

type counters struct {
	compactions, filesBefore, filesAfter, bytesBefore, bytesAfter, rows, duplicates, repeated atomic.Int64
	beaten, failures, conflicts, purged, purgedBytes, pinned, largest, spilled                atomic.Int64
}

func (c *counters) compacted(j job, s ledger.Swap) {
	c.compactions.Add(1)
	c.filesBefore.Add(int64(len(s.Remove)))
	c.filesAfter.Add(int64(len(s.Add)))
	c.bytesBefore.Add(j.bytes())
	c.duplicates.Add(s.Duplicates)
	for _, f := range s.Add {
		c.bytesAfter.Add(f.Bytes)
		c.rows.Add(f.Rows)
	}
}

// sorted notes what a sorter took; only one goroutine does.
func (c *counters) sorted(largest, spilled int64) {
	c.largest.Store(max(c.largest.Load(), largest))
	c.spilled.Add(spilled)
}

// Stats returns the figures of the moment.
func (c *Compactor) Stats() Stats {
	n := &c.counts
	return Stats{
		Compactions: n.compactions.Load(), FilesBefore: n.filesBefore.Load(), FilesAfter: n.filesAfter.Load(),
		BytesBefore: n.bytesBefore.Load(), BytesAfter: n.bytesAfter.Load(), Rows: n.rows.Load(),
		Duplicates: n.duplicates.Load(), Repeated: n.repeated.Load(), Beaten: n.beaten.Load(), Failures: n.failures.Load(),
		Conflicts: n.conflicts.Load(), Purged: n.purged.Load(), PurgedBytes: n.purgedBytes.Load(), Pinned: n.pinned.Load(),
		LargestSort: n.largest.Load(), BytesSpilled: n.spilled.Load(),
	}
}
