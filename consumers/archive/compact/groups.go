package compact

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// group is what may be merged: live files of a topic, a type and an append hour.
type group struct {
	topicID uuid.UUID
	topic   string
	typ     string
	hour    time.Time
}

// job is files of a group that one swap replaces, by key.
type job struct {
	group
	files []ledger.LedgerFile
}

func (j job) bytes() (n int64) {
	for _, f := range j.files {
		n += f.Bytes
	}
	return n
}

// closed returns up to which append time every partition of each topic is archived, with its name.
func (c *Compactor) closed(ctx context.Context) (map[uuid.UUID]frontier, error) {
	states, err := c.cfg.Ledger.History(ctx)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]frontier{}
	for _, s := range states {
		f, ok := out[s.TopicID]
		if through := s.ArchivedThrough.Add(-c.cfg.Slack); !ok || through.Before(f.through) {
			f = frontier{s.Topic, through}
		}
		out[s.TopicID] = f
	}
	return out, nil
}

type frontier struct {
	topic   string
	through time.Time
}

// jobs returns what is to be merged of closed hours, oldest first. It does not look at hours in which it found nothing the
// last time, until rescan.
func (c *Compactor) jobs(ctx context.Context, now time.Time) ([]job, error) {
	if now.Sub(c.scanned) >= rescan {
		c.scanned = now
		clear(c.settled)
	}
	closed, err := c.closed(ctx)
	if err != nil {
		return nil, err
	}
	var out []job
	for id, f := range closed {
		files, err := c.cfg.Ledger.Files(ctx, ledger.FileQuery{Topic: f.topic, From: c.settled[id], To: f.through})
		if err != nil {
			return nil, err
		}
		found := merges(files, id, f.through, c.cfg.Target, c.cfg.MaxInput)
		if len(found) == 0 {
			c.settled[id] = f.through.Add(min(c.cfg.Slack, 0)).Truncate(time.Hour) // an hour that is not over gets more files
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b job) int {
		return cmp.Or(a.hour.Compare(b.hour), strings.Compare(a.topic, b.topic), strings.Compare(a.files[0].Key, b.files[0].Key))
	})
	return out, nil
}

// merges picks the files of a topic's closed hours that are to be merged: those that no swap made, and small ones. Of what is
// picked something always comes out that is not picked again alone.
func merges(files []ledger.LedgerFile, topicID uuid.UUID, through time.Time, target, maxInput int64) []job {
	groups := map[group][]ledger.LedgerFile{}
	for _, f := range files {
		if f.TopicID != topicID || f.Hour.Add(time.Hour).After(through) || len(f.Spans) > 0 && f.Bytes >= target/2 {
			continue
		}
		g := group{f.TopicID, f.Topic, f.Type, f.Hour.UTC()}
		groups[g] = append(groups[g], f)
	}
	var out []job
	for g, files := range groups {
		for len(files) > 0 {
			n, size := 0, int64(0)
			for n < len(files) && (n < 2 || size+files[n].Bytes <= maxInput) {
				size += files[n].Bytes
				n++
			}
			if n > 1 || len(files[0].Spans) == 0 {
				out = append(out, job{g, files[:n:n]})
			}
			files = files[n:]
		}
	}
	return out
}
