package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// checker compares the archive with the log, flush by flush, each once.
type checker struct {
	ledger ledgerReader
	bucket bucket.Bucket
	tail   *tail

	next     map[logPartition]int64 // checked up to here
	seals    map[string]bool        // of the flushes that were checked
	kept     map[logPartition][]row // of the log, for what is live at the end
	still    map[logPartition]standing
	waiting  map[string]string // acknowledged, not yet looked up
	unlogged map[string]bool   // looked up in vain
	found    findings
	rows     int64
	files    int64
	bytes    int64
	deleted  int64 // records that nobody archived before their topic was deleted
}

func newChecker(l ledgerReader, b bucket.Bucket, t *tail) *checker {
	return &checker{ledger: l, bucket: b, tail: t, next: map[logPartition]int64{}, seals: map[string]bool{},
		kept: map[logPartition][]row{}, still: map[logPartition]standing{}, waiting: map[string]string{}, unlogged: map[string]bool{}}
}

// behindFor is how long the log may take to show what the archive has, when faults are over.
const behindFor = 30 * time.Second

// errBehind says that the log was not read as far as the archive goes.
var errBehind = errors.New("the archive goes further than the log")

// advance checks what was committed since the last time. An error means that it could not look. While faults go on, the
// log may be behind the archive, because the broker is dead: then the next look is soon enough.
func (c *checker) advance(ctx context.Context, patience time.Duration) error {
	parts, _, err := c.ledger.partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := c.partition(ctx, p, patience); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) partition(ctx context.Context, p ledgerPartition, patience time.Duration) error {
	flushes, files, err := c.ledger.flushes(ctx, p, c.next[p.part])
	if err != nil || len(flushes) == 0 {
		return err
	}
	if _, seen := c.next[p.part]; !seen {
		known, err := c.tail.known(ctx, p.part.topicID)
		if err != nil {
			return err
		}
		if !known {
			c.found.add(breachForeign, "%s: kafka never had a topic of that id", p.part)
			return nil
		}
	}
	for _, f := range flushes {
		err := c.flush(ctx, f, files[f.seq], patience)
		if errors.Is(err, errBehind) && patience < behindFor {
			return nil
		}
		if errors.Is(err, errBehind) {
			c.found.add(breachForeign, "%v", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) flush(ctx context.Context, f flushRow, files []ledgerFile, patience time.Duration) error {
	bound, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.tail.await(bound, f.part, f.end); err != nil {
		return errors.Join(err, ctx.Err())
	}
	var size int64
	for _, file := range files {
		if file.purged {
			f.purged = true
			continue
		}
		rows, err := c.read(ctx, file)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.number != f.part.number {
				c.found.add(breachForeign, "%s: a row of partition %d in %s", f.part, r.number, file.key)
			}
		}
		f.files = append(f.files, fileRow{key: file.key, start: file.start, end: file.end, rows: rows})
		size += file.bytes
	}
	for _, file := range f.files {
		c.rows += int64(len(file.rows))
	}
	c.files, c.bytes = c.files+int64(len(f.files)), c.bytes+size
	log := c.tail.take(f.part, f.end)
	c.kept[f.part] = append(c.kept[f.part], log...)
	judgeFlush(f, c.next[f.part], log, &c.found)
	c.next[f.part] = f.end
	if f.part.topic != events.TopicArchive {
		c.seals[fmt.Sprintf("%s-%d-%d-%d", f.part.topicID, f.part.number, f.start, f.end)] = true
	}
	return nil
}

// read returns the rows of a file whose bytes are the promised ones.
func (c *checker) read(ctx context.Context, file ledgerFile) ([]row, error) {
	r, _, err := c.bucket.Get(ctx, file.key, bucket.Range{})
	if errors.Is(err, bucket.ErrNotFound) {
		c.found.add(breachFile, "%s is missing", file.key)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if sum := cas.Sum(body).String(); sum != file.digest || int64(len(body)) != file.bytes {
		c.found.add(breachFile, "%s has %d bytes %s, want %d bytes %s", file.key, len(body), sum, file.bytes, file.digest)
	}
	var rows []row
	for got, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
		if err != nil {
			c.found.add(breachFile, "%s: %v", file.key, err)
			break
		}
		rec := got.Record
		rows = append(rows, row{offset: rec.Offset, number: got.Partition, id: got.CloudEvent.ID, sum: sumOf(rec.Key, rec.Value, rec.Headers, rec.AppendTime)})
	}
	if int64(len(rows)) != file.rows {
		c.found.add(breachFile, "%s has %d rows, want %d", file.key, len(rows), file.rows)
	}
	return rows, nil
}

// finish judges what can only be judged at the end, when the archive has caught up.
func (c *checker) finish(acked map[string]string) {
	for p, rows := range c.tail.left() {
		c.tail.mu.Lock()
		over := c.tail.deleted[p.topicID]
		c.tail.mu.Unlock()
		if over {
			c.deleted += int64(len(rows))
			continue
		}
		for _, r := range rows {
			c.found.add(breachLost, "%s: offset %d (%s), behind the last flush", p, r.offset, r.id)
		}
	}
	for id := range c.unlogged {
		delete(acked, id) // counted before
	}
	c.tail.mu.Lock()
	defer c.tail.mu.Unlock()
	judgeAcks(acked, c.tail.ids, &c.found)
	c.tail.letters.judge(true, &c.found)
	judgeSeals(c.seals, c.tail.sealed, &c.found)
}
