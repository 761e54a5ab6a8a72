package icebergview

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// topic is one incarnation of a topic: it has a table of its own.
type topic struct {
	id   uuid.UUID
	name string
}

// segment tells a topic from others, also from earlier ones of its name.
func (t topic) segment() string { return events.StreamOf(t.name) + "." + hex.EncodeToString(t.id[:4]) }

func (t topic) dir() string { return prefix + t.segment() + "/" }

// tables is what iceberg-go takes for the catalog: it has one table.
type tables struct {
	p *Publisher
	t topic
}

var _ table.CatalogIO = tables{}

func (c tables) ident(v ledger.View) table.Identifier { return table.Identifier{v.Namespace, v.Name} }

// files lends iceberg-go the bucket.
func (c tables) files(ctx context.Context) (icebergio.IO, error) { return c.p.store(ctx), nil }

// LoadTable returns the table as it is now.
func (c tables) LoadTable(ctx context.Context, _ table.Identifier) (*table.Table, error) {
	v, meta, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return table.New(c.ident(v), meta, v.Location, c.files, c), nil
}

// current reads the view and what it points to.
func (c tables) current(ctx context.Context) (ledger.View, table.Metadata, error) {
	v, err := c.p.cfg.Views.View(ctx, c.t.id)
	if err != nil || v.Location == "" {
		return v, nil, err
	}
	if m := c.p.shown[c.t.id]; m.location == v.Location {
		return v, m.meta, nil
	}
	f, err := c.p.store(ctx).Open(v.Location)
	if err != nil {
		return v, nil, err
	}
	defer f.Close()
	meta, err := table.ParseMetadata(f)
	if err != nil {
		return v, nil, fmt.Errorf("%s: %w", v.Location, err)
	}
	return v, meta, nil
}

// move writes metadata, and makes it current if the table is still where v says.
func (c tables) move(ctx context.Context, v ledger.View, meta table.Metadata) error {
	location, err := nextLocation(meta, v.Location)
	if err != nil {
		return err
	}
	body, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if err := c.p.store(ctx).WriteFile(location, body); err != nil {
		return err
	}
	next := v
	next.Location, next.Since = location, since(meta)
	if err := c.p.cfg.Views.MoveView(ctx, next, v.Location); err != nil {
		return err
	}
	c.p.shown[c.t.id] = shown{location: location, meta: meta}
	return nil
}

// nextLocation is a name that nobody else takes.
func nextLocation(meta table.Metadata, before string) (string, error) {
	version := 0
	if n, _, ok := strings.Cut(path.Base(before), "-"); ok {
		last, err := strconv.Atoi(n)
		if err != nil {
			return "", fmt.Errorf("%s: %w", before, err)
		}
		version = last + 1
	}
	p, err := table.LoadLocationProvider(meta.Location(), meta.Properties())
	if err != nil {
		return "", err
	}
	return p.NewTableMetadataFileLocation(version)
}

// CommitTable brings updates into the table, together with the end of old snapshots: ErrCommitFailed if somebody else was first.
func (c tables) CommitTable(ctx context.Context, _ table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	v, before, err := c.current(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, r := range reqs {
		if err := r.Validate(before); err != nil {
			return nil, "", errors.Join(table.ErrCommitFailed, err)
		}
	}
	meta, err := table.UpdateTableMetadata(before, updates, v.Location)
	if err != nil {
		return nil, "", err
	}
	if old := c.p.expired(meta); len(old) > 0 {
		updates = append(updates[:len(updates):len(updates)], table.NewRemoveSnapshotsUpdate(old, false))
		if meta, err = table.UpdateTableMetadata(before, updates, v.Location); err != nil {
			return nil, "", err
		}
	}
	err = c.move(ctx, v, meta)
	if errors.Is(err, ledger.ErrViewMoved) {
		err = errors.Join(table.ErrCommitFailed, err)
	}
	return meta, c.p.shown[c.t.id].location, err
}
