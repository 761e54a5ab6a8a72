package main

import (
	"context"
	"time"
)

// Looks while faults go on.
const (
	lookEvery   = 2 * time.Second
	lookFor     = 10 * time.Second // until the log shows what was acknowledged before a look
	lookPatient = time.Second      // with a log that is behind the archive
	// standsStill is how many looks in a row may find a partition where it was. It is far more than the longest sleep of an
	// archiver; looks at dead servers do not count.
	standsStill = 10
)

// standing is since how many looks a partition with something to archive has not moved.
type standing struct {
	next  int64
	looks int
}

// look checks what can be checked while faults go on. A database or broker that was just killed cannot be asked: the next
// look is soon enough.
func (c *checker) look(ctx context.Context, acks *ackLog) error {
	for id, topic := range acks.take() {
		c.waiting[id] = topic
	}
	if err := c.advance(ctx, lookPatient); err != nil {
		return err
	}
	if err := c.lookUp(ctx); err != nil {
		return err
	}
	parts, _, err := c.ledger.partitions(ctx)
	if err != nil {
		return err
	}
	c.progress(parts)
	return nil
}

// lookUp wants everything that was acknowledged to be in the log, once the log is read as far as it goes now.
func (c *checker) lookUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := c.tail.reach(ctx, ""); err != nil {
		return err
	}
	c.tail.mu.Lock()
	defer c.tail.mu.Unlock()
	for id, topic := range c.waiting {
		before := c.found.total()
		judgeAcks(map[string]string{id: topic}, c.tail.ids, &c.found)
		if c.found.total() > before {
			c.unlogged[id] = true
		}
	}
	clear(c.waiting)
	c.tail.letters.judge(false, &c.found)
	return nil
}

// progress finds partitions that stand still although there is something to archive.
func (c *checker) progress(parts []ledgerPartition) {
	c.tail.mu.Lock()
	defer c.tail.mu.Unlock()
	for _, p := range parts {
		s, ok := c.still[p.part]
		switch end := c.tail.next[p.part]; {
		case c.tail.deleted[p.part.topicID] || end <= p.next:
			delete(c.still, p.part)
			continue
		case !ok || s.next != p.next:
			s = standing{next: p.next}
		default:
			if s.looks++; s.looks == standsStill {
				c.found.add(breachBehind, "%s stands still at %d, and the log goes on to %d", p.part, p.next, end)
			}
		}
		c.still[p.part] = s
	}
}
