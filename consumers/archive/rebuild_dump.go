package archive

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Dumped is what Dump wrote.
type Dumped struct {
	Flushes    int64      `json:"flushes"`
	Swaps      int64      `json:"swaps"`
	Partitions int        `json:"partitions"`
	SHA256     cas.Digest `json:"sha256"` // of the bytes
}

// Dump writes the durable part of the ledger, JSON lines: each step's manifest in the order of the steps, then the position
// of each partition. Two ledgers with the same dump are the same but for what Rebuild cannot know. While archivers write,
// a dump is not of one moment.
func Dump(ctx context.Context, l steps, to io.Writer) (Dumped, error) {
	d := dump{ledger: l, sum: sha256.New()}
	d.to = io.MultiWriter(to, d.sum)
	if err := d.run(ctx); err != nil {
		return Dumped{}, fmt.Errorf("dump ledger: %w", err)
	}
	d.wrote.SHA256 = cas.Digest(d.sum.Sum(nil))
	return d.wrote, nil
}

type dump struct {
	ledger steps
	to     io.Writer
	sum    hash.Hash
	wrote  Dumped
}

// held is how many steps are in memory at a time, over all partitions.
const held = 8192

func (d *dump) run(ctx context.Context) error {
	states, err := d.ledger.History(ctx)
	if err != nil {
		return err
	}
	limit := max(2, held/(2*len(states)+1))
	var q cursors
	for i, s := range states {
		q = append(q, &cursor{limit: limit, more: d.flushes(s)})
		if i == 0 || states[i-1].TopicID != s.TopicID {
			q = append(q, &cursor{limit: limit, more: d.swaps(s.Partition)})
		}
	}
	if err := d.steps(ctx, q); err != nil {
		return err
	}
	for _, s := range states {
		if err := d.position(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// line is a step.
type line struct {
	seq  int64
	body []byte
}

// flushes returns what reads the flushes of a partition page by page.
func (d *dump) flushes(s ledger.PartitionState) func(ctx context.Context, limit int) ([]line, error) {
	next := int64(0)
	return func(ctx context.Context, limit int) (lines []line, err error) {
		flushes, err := d.ledger.Flushes(ctx, s.Partition, next, limit)
		for _, f := range flushes {
			if f.Start >= s.Next {
				break
			}
			body, err := mirror.EncodeFlush(f)
			if err != nil {
				return nil, err
			}
			lines, next = append(lines, line{f.Seq, body}), f.End
			d.wrote.Flushes++
		}
		return lines, err
	}
}

// swaps returns what reads the swaps of p's topic page by page.
func (d *dump) swaps(p ledger.Partition) func(ctx context.Context, limit int) ([]line, error) {
	next := int64(1)
	return func(ctx context.Context, limit int) (lines []line, err error) {
		swaps, err := d.ledger.Swaps(ctx, p.TopicID, next, limit)
		for _, s := range swaps {
			body, err := mirror.EncodeSwap(s)
			if err != nil {
				return nil, err
			}
			lines, next = append(lines, line{s.Seq, body}), s.N+1
			d.wrote.Swaps++
		}
		return lines, err
	}
}

// steps merges the cursors by seq.
func (d *dump) steps(ctx context.Context, all cursors) error {
	var q cursors
	for _, c := range all {
		if err := c.fill(ctx); err != nil {
			return err
		}
		if len(c.lines) > 0 {
			q = append(q, c)
		}
	}
	heap.Init(&q)
	for len(q) > 0 {
		c := q[0]
		if _, err := d.to.Write(append(c.lines[0].body, '\n')); err != nil {
			return err
		}
		if c.lines = c.lines[1:]; len(c.lines) == 0 {
			if err := c.fill(ctx); err != nil {
				return err
			}
		}
		if len(c.lines) == 0 {
			heap.Pop(&q) // it was not moved: an empty cursor is not compared
			continue
		}
		heap.Fix(&q, 0)
	}
	return nil
}

// position is how far a partition is, as its last flush left it.
type position struct {
	ArchivedThrough time.Time `json:"archived_through"`
	CaughtUp        bool      `json:"caught_up"`
	EventTime       time.Time `json:"event_time"`
	Next            int64     `json:"next"`
	Partition       int32     `json:"partition"`
	Topic           string    `json:"topic"`
	TopicID         string    `json:"topic_id"`
}

// position writes a partition's line; one without a flush has none.
func (d *dump) position(ctx context.Context, s ledger.PartitionState) error {
	last, err := d.ledger.Flushes(ctx, s.Partition, s.Next-1, 1)
	if err != nil || s.Next == 0 || len(last) == 0 {
		return err
	}
	d.wrote.Partitions++
	body, err := json.Marshal(map[string]position{"position": {
		ArchivedThrough: micros(last[0].ArchivedThrough), CaughtUp: last[0].CaughtUp, EventTime: micros(last[0].EventTime), Next: s.Next,
		Partition: s.Partition.Partition, Topic: s.Topic, TopicID: fmt.Sprintf("%x", s.TopicID[:]),
	}})
	if err == nil {
		_, err = d.to.Write(append(body, '\n'))
	}
	return err
}

// cursor is one chain of steps.
type cursor struct {
	lines []line
	limit int
	more  func(ctx context.Context, limit int) ([]line, error)
}

func (c *cursor) fill(ctx context.Context) (err error) {
	c.lines, err = c.more(ctx, c.limit)
	return err
}

// cursors is a heap of those that have lines; the one with the oldest is first.
type cursors []*cursor

// Len implements heap.Interface.
func (q cursors) Len() int { return len(q) }

// Less implements heap.Interface.
func (q cursors) Less(i, j int) bool { return q[i].lines[0].seq < q[j].lines[0].seq }

// Swap implements heap.Interface.
func (q cursors) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *cursors) Push(c any) { *q = append(*q, c.(*cursor)) }

// Pop implements heap.Interface.
func (q *cursors) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}
