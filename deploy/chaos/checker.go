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

	next  map[logPartition]int64 // checked up to here
	seals map[string]bool        // of the flushes that were checked
	found findings
	rows  int64
	files int64
	bytes int64
}

func newChecker(l ledgerReader, b bucket.Bucket, t *tail) *checker {
	return &checker{ledger: l, bucket: b, tail: t, next: map[logPartition]int64{}, seals: map[string]bool{}}
}

// behindFor is how long the log may take to show what the archive has.
const behindFor = 30 * time.Second

// advance checks what was committed since the last time. An error means that it could not look.
func (c *checker) advance(ctx context.Context) error {
	parts, _, err := c.ledger.partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		flushes, files, err := c.ledger.flushes(ctx, p, c.next[p.part])
		if err != nil {
			return err
		}
		for _, f := range flushes {
			if err := c.flush(ctx, f, files[f.seq]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) flush(ctx context.Context, f flushRow, files []ledgerFile) error {
	for _, file := range files {
		rows, err := c.read(ctx, f, file)
		if err != nil {
			return err
		}
		f.files = append(f.files, fileRow{key: file.key, start: file.start, end: file.end, rows: rows})
		c.rows += int64(len(rows))
		c.files++
		c.bytes += file.bytes
	}
	bound, cancel := context.WithTimeout(ctx, behindFor)
	defer cancel()
	log, err := c.tail.take(bound, f.part, f.end)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.found.add(breachForeign, "%v", err)
	}
	judgeFlush(f, c.next[f.part], log, &c.found)
	c.next[f.part] = f.end
	if f.part.topic != events.TopicArchive {
		c.seals[fmt.Sprintf("%s-%d-%d-%d", f.topicID, f.part.number, f.start, f.end)] = true
	}
	return nil
}

// read returns the rows of a file whose bytes are the promised ones.
func (c *checker) read(ctx context.Context, f flushRow, file ledgerFile) ([]row, error) {
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
		if got.Partition != f.part.number {
			c.found.add(breachForeign, "%s: a row of partition %d in %s", f.part, got.Partition, file.key)
		}
		rec := got.Record
		rows = append(rows, row{offset: rec.Offset, id: got.CloudEvent.ID, sum: sumOf(rec.Key, rec.Value, rec.Headers, rec.AppendTime)})
	}
	if int64(len(rows)) != file.rows {
		c.found.add(breachFile, "%s has %d rows, want %d", file.key, len(rows), file.rows)
	}
	return rows, nil
}

// finish judges what can only be judged at the end, when the archive has caught up.
func (c *checker) finish(acked map[string]bool) {
	for p, rows := range c.tail.left() {
		for _, r := range rows {
			c.found.add(breachLost, "%s: offset %d (%s), behind the last flush", p, r.offset, r.id)
		}
	}
	c.tail.mu.Lock()
	defer c.tail.mu.Unlock()
	judgeAcks(acked, c.tail.ids, &c.found)
	judgeSeals(c.seals, c.tail.sealed, &c.found)
}
