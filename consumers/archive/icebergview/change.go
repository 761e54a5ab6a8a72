package icebergview

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// change is what makes a table show other files.
type change struct {
	add, remove []iceberg.DataFile
	files       map[string]bool // that the table shows then
}

func (c change) empty() bool { return len(c.add) == 0 && len(c.remove) == 0 }

// change compares what is live with what is shown now.
func (p *Publisher) change(spec iceberg.PartitionSpec, live []ledger.LedgerFile, now map[string]bool) (change, error) {
	c := change{files: make(map[string]bool, len(live))}
	for _, f := range live {
		url := p.url(f.Key)
		c.files[url] = true
		if now[url] {
			continue
		}
		d, err := p.dataFile(spec, f)
		if err != nil {
			return c, err
		}
		c.add = append(c.add, d)
	}
	for _, url := range slices.Sorted(maps.Keys(now)) {
		if c.files[url] {
			continue
		}
		d, err := gone(spec, url)
		if err != nil {
			return c, err
		}
		c.remove = append(c.remove, d)
	}
	return c, nil
}

// commit makes one snapshot of a change, if the table is still as it was when it was compared.
func (p *Publisher) commit(ctx context.Context, t topic, tbl *table.Table, c change, seq int64) error {
	tx := tbl.NewTransaction()
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return err
	}
	// Without the check because the comparison was one, and the snapshot that it was made with is still the parent.
	err := tx.ReplaceDataFilesWithDataFiles(ctx, c.remove, c.add, iceberg.Properties{propSeq: strconv.FormatInt(seq, 10)},
		table.WithoutDuplicateCheck(), table.WithoutAutoNameMapping())
	if err != nil {
		return err
	}
	done, err := tx.Commit(ctx)
	if errors.Is(err, table.ErrCommitFailed) {
		return errors.Join(ledger.ErrViewMoved, err)
	}
	if err != nil {
		return err
	}
	p.shown[t.id] = shown{location: done.MetadataLocation(), meta: done.Metadata(), files: c.files}
	p.counts.published(c)
	p.cfg.Log.InfoContext(ctx, "archive view published", "topic", t.name, "table", done.Identifier(), "seq", seq,
		"added", len(c.add), "removed", len(c.remove), "files", len(c.files))
	return nil
}
