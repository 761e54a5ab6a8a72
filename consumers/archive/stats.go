package archive

import (
	"sync/atomic"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Stats is what an Archiver has done since it was made.
type Stats struct {
	Records   int64 // committed
	Flushes   int64
	Files     int64
	Bytes     int64 // of files
	Retries   int64 // calls to the bucket or the ledger that failed and were, or will be, made again
	Fenced    int64 // claims that somebody else took over
	Conflicts int64 // keys that held other bytes
	Lost      int64 // offsets that retention removed first
	Late      int64 // records older than what was said to be complete, by a wrong clock

	Partitions int   // assigned now
	Buffered   int64 // bytes of records in memory now
}

type counters struct {
	records, flushes, files, bytes, retries, fenced, conflicts, lost atomic.Int64
}

func (c *counters) flush(f ledger.Flush) {
	c.flushes.Add(1)
	c.records.Add(f.Records)
	c.files.Add(int64(len(f.Files)))
	for _, file := range f.Files {
		c.bytes.Add(file.Bytes)
	}
}

// Stats returns the figures of the moment.
func (a *Archiver) Stats() Stats {
	c := &a.counts
	return Stats{
		Records: c.records.Load(), Flushes: c.flushes.Load(), Files: c.files.Load(), Bytes: c.bytes.Load(),
		Retries: c.retries.Load(), Fenced: c.fenced.Load(), Conflicts: c.conflicts.Load(), Lost: c.lost.Load(), Late: a.clock.late.Load(),
		Partitions: len(a.assigned()), Buffered: a.budget.size(),
	}
}
