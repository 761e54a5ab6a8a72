package icebergview_test

import (
	"context"
	"iter"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// aged is a bucket whose objects are old.
type aged struct{ bucket.Bucket }

func (b aged) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	return func(yield func(bucket.Attrs, error) bool) {
		for a, err := range b.Bucket.List(ctx, prefix) {
			a.Modified = a.Modified.Add(-2 * time.Hour)
			if !yield(a, err) {
				return
			}
		}
	}
}

// smeared is a ledger in which a topic's files have rows of several hours.
type smeared struct{ ledger.Ledger }

func (s smeared) Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	files, err := s.Ledger.Files(ctx, q)
	for i := range files {
		if files[i].Topic == "events.bad" {
			files[i].MaxSeen = files[i].MaxSeen.Add(time.Hour)
		}
	}
	return files, err
}
