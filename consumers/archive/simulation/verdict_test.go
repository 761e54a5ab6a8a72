package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

// last judges all of it, once every process has ended.
func (r *referee) last(ctx context.Context) {
	w := r.world
	r.inspect(ctx)
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: w.virtual.Config()})
	if err != nil {
		w.breach("admin: %v", err)
		return
	}
	defer admin.Close()
	r.whole(ctx, archive.Verifier{Ledger: w.memory, Bucket: w.bucket, Log: admin, Deep: true})
	r.live(ctx)
	r.sealed(ctx)
	r.rebuilt(ctx)
}

// live judges the files of the moment, merged ones included: each event is there, and no offset twice.
func (r *referee) live(ctx context.Context) {
	w := r.world
	files, err := w.memory.Files(ctx, ledger.FileQuery{})
	if err != nil {
		w.breach("ledger: %v", err)
		return
	}
	type spot struct {
		place
		offset int64
	}
	there, ids := map[spot]bool{}, map[string]bool{}
	for _, f := range files {
		body, err := object(ctx, w.bucket, f.Key)
		if err != nil {
			w.breach("lost: live file %s: %v", f.Key, err)
			continue
		}
		for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
			if err != nil {
				w.breach("damaged: %s: %v", f.Key, err)
				break
			}
			at := spot{place{f.TopicID, row.Partition}, row.Record.Offset}
			if there[at] {
				w.breach("doubled: %s/%d offset %d is in two live files", f.Topic, row.Partition, row.Record.Offset)
			}
			there[at] = true
			ids[fmt.Sprint(f.TopicID, row.CloudEvent.Source, row.CloudEvent.ID)] = true
			if past := w.journal.of(at.place); past == nil || len(past.from(at.offset)) == 0 || !same(past.from(at.offset)[0], row.Record) {
				w.breach("altered: %s/%d offset %d in %s", f.Topic, row.Partition, row.Record.Offset, f.Key)
			}
		}
	}
	for p, past := range w.journal.parts {
		for _, rec := range past.recs {
			if rec.Offset >= r.judged[p] || past.gone[rec.Offset].by != "" || there[spot{p, rec.Offset}] {
				continue
			}
			if source, id := identity(rec); id == "" || !ids[fmt.Sprint(p.topic, source, id)] {
				w.breach("lost: %s/%d offset %d is in no live file, nor is its event", past.topic, p.partition, rec.Offset)
			}
		}
	}
}

// identity returns what makes two records the same event.
func identity(r events.Record) (source, id string) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_source":
			source = string(h.Value)
		case "ce_id":
			id = string(h.Value)
		}
	}
	if id == "" {
		var ev struct{ Source, ID string }
		_ = json.Unmarshal(r.Value, &ev) // what is no event has none
		return ev.Source, ev.ID
	}
	return source, id
}

// sealed wants one event for each flush that is announced, which says what the flush says.
func (r *referee) sealed(ctx context.Context) {
	w := r.world
	evs, err := w.memory.PendingEvents(ctx)
	if err != nil {
		w.breach("outbox: %v", err)
		return
	}
	said := map[string]events.ArchiveSealed{}
	for _, ev := range evs {
		var data events.ArchiveSealed
		if err := json.Unmarshal(ev.Data(), &data); err != nil {
			w.breach("event %s: %v", ev.ID(), err)
		}
		if _, twice := said[ev.ID()]; twice {
			w.breach("event %s is there twice", ev.ID())
		}
		said[ev.ID()] = data
	}
	for _, f := range r.all(ctx) {
		id := fmt.Sprintf("%x-%d-%d-%d", f.TopicID[:], f.Partition.Partition, f.Start, f.End)
		ev, ok := said[id]
		delete(said, id)
		switch silent := f.Topic == events.TopicArchive; {
		case silent && ok:
			w.breach("the archive's own flush %s is announced: it would feed itself", id)
		case silent:
		case !ok:
			w.breach("flush %s is not announced", id)
		case ev.Seq != f.Seq || ev.Records != f.Records || !ev.ArchivedThrough.Equal(f.ArchivedThrough) ||
			!slices.EqualFunc(ev.Files, f.Files, func(e events.SealedFile, f ledger.File) bool {
				return e.Key == f.Key && e.SHA256 == f.Digest.String() && e.Rows == f.Rows && e.Start == f.Start && e.End == f.End
			}):
			w.breach("flush %s is announced as %+v", id, ev)
		}
	}
	for id := range said {
		w.breach("event %s is of no flush", id)
	}
}

// all returns every flush.
func (r *referee) all(ctx context.Context) (out []ledger.Flush) {
	states, err := r.world.memory.History(ctx)
	if err != nil {
		r.world.breach("ledger: %v", err)
	}
	for _, s := range states {
		flushes, err := r.world.memory.Flushes(ctx, s.Partition, 0, 1<<30)
		if err != nil {
			r.world.breach("ledger: %v", err)
		}
		out = append(out, flushes...)
	}
	return out
}

// rebuilt makes the ledger again from the bucket, and wants the same.
func (r *referee) rebuilt(ctx context.Context) {
	w, again := r.world, ledgertest.NewMemory()
	if _, err := archive.Rebuild(ctx, w.bucket, again); err != nil {
		w.breach("rebuild: %v", err)
		return
	}
	dump := func(l ledger.Ledger) []string {
		var b strings.Builder
		if _, err := archive.Dump(ctx, l, &b); err != nil {
			w.breach("dump: %v", err)
		}
		return strings.Split(b.String(), "\n")
	}
	was, is := dump(w.memory), dump(again)
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			w.breach("the rebuilt ledger differs in line %d of %d and %d: %.300q, %.300q", i, len(was), len(is), lineOf(was, i), lineOf(is, i))
			return
		}
	}
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
