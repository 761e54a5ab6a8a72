package icebergview

import (
	"context"
	"errors"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// create makes the table. The pin of its files is there before the ledger is read for its first snapshot.
func (c tables) create(ctx context.Context) error {
	props, err := properties(c.t)
	if err != nil {
		return err
	}
	meta, err := first(c.p.url(strings.TrimSuffix(c.t.dir(), "/")), props)
	if err != nil {
		return err
	}
	return c.move(ctx, ledger.View{
		TopicID: c.t.id, Catalog: c.p.cfg.Catalog, Namespace: c.p.cfg.Namespace, Name: name(c.t.segment()),
	}, meta)
}

// first returns the metadata of an empty table. table.NewMetadata would give the columns other ids.
func first(location string, props iceberg.Properties) (table.Metadata, error) {
	b, err := table.NewMetadataBuilder(2)
	if err != nil {
		return nil, err
	}
	spec, order := partitionSpec(), table.UnsortedSortOrder
	if err := errors.Join(
		b.SetUUID(uuid.New()), b.SetLoc(location), b.AddSchema(columns()), b.SetCurrentSchemaID(-1), b.AddPartitionSpec(&spec, true),
		b.SetDefaultSpecID(-1), b.AddSortOrder(&order), b.SetDefaultSortOrderID(-1), b.SetProperties(props),
	); err != nil {
		return nil, err
	}
	return b.Build()
}

// evolve adds what a table lacks that was made by an earlier version. Columns are only ever added, so a later version's stay.
func (c tables) evolve(ctx context.Context, tbl *table.Table) (*table.Table, error) {
	want, now := columns(), tbl.Metadata().CurrentSchema()
	missing := false
	for _, f := range want.Fields() {
		_, there := now.FindFieldByID(f.ID)
		missing = missing || !there
	}
	if !missing {
		return tbl, nil
	}
	props, err := properties(c.t)
	if err != nil {
		return nil, err
	}
	_, _, err = c.CommitTable(ctx, tbl.Identifier(), []table.Requirement{table.AssertTableUUID(tbl.Metadata().TableUUID())}, []table.Update{
		table.NewAddSchemaUpdate(want), table.NewSetCurrentSchemaUpdate(-1), table.NewSetPropertiesUpdate(props),
	})
	if err != nil {
		return nil, err
	}
	return c.LoadTable(ctx, nil)
}
