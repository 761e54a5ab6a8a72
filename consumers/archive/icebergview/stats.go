package icebergview

import "sync/atomic"

// Stats is what a Publisher has done since it was made.
type Stats struct {
	Snapshots int64 // that it made
	Added     int64 // files that came into tables
	Removed   int64 // files that left tables, because others were put in their place
	Beaten    int64 // snapshots that another publisher was faster with
	Failures  int64 // tables that could not be kept up, and are looked at again
	Swept     int64 // objects of metadata that nothing needed any more
}

type counters struct{ snapshots, added, removed, beaten, failures, swept atomic.Int64 }

func (c *counters) published(ch change) {
	c.snapshots.Add(1)
	c.added.Add(int64(len(ch.add)))
	c.removed.Add(int64(len(ch.remove)))
}

// Stats returns the figures of the moment.
func (p *Publisher) Stats() Stats {
	n := &p.counts
	return Stats{
		Snapshots: n.snapshots.Load(), Added: n.added.Load(), Removed: n.removed.Load(), Beaten: n.beaten.Load(),
		Failures: n.failures.Load(), Swept: n.swept.Load(),
	}
}
