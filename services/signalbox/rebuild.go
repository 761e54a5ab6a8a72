package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// emptyLedger is SQL that leaves a ledger as one that never was used, all or nothing. Only rows of iceberg_tables that are ours
// go: the catalog may be shared.
const emptyLedger = `  BEGIN;
  DELETE FROM iceberg_tables t USING archive_view v WHERE (t.catalog_name, t.table_namespace, t.table_name)
    = (v.catalog_name, v.table_namespace, v.table_name);
  TRUNCATE archive_view, archive_file, archive_flush, archive_swap, archive_partition, archive_topic;
  UPDATE archive_head SET seq = 0;
  COMMIT;`

func (s *session) rebuildCommand() *cobra.Command {
	var v settings
	c := &cobra.Command{
		Use: "rebuild --database-url NEW", Short: "Make the archive's ledger again from the object store alone", Args: cobra.NoArgs,
		Long: `Read every manifest in the object store, check that they are whole chains, and fill the ledger of another, empty database
with them, all or nothing. The schema is made where it is missing. Stop every archiver first, and begin with a look at
what is there: a history with a hole, or one that was changed, is refused with the object where it shows.

The ledger is then what it was, byte for byte: compare ` + "`signalbox archive dump --digest`" + `. Not in manifests, and so made new by
the next claims, are the owners of partitions and how far quiet ones are known to be complete. A flush that was committed
in the last moment and not mirrored is read from Kafka again. The rest of the database (specs, runs, packages, tags) is not
in manifests: restore it from its backup first. A ledger that came with the backup is behind the bucket; empty it by hand.
Tables of Apache Iceberg that show the archive go with it, for they show what it said; publishing makes them anew:

` + emptyLedger,
		Example: "  signalbox archive rebuild --config signalbox.yaml --database-url postgres://signalbox@db2/signalbox\n" +
			"  signalbox archive verify --config signalbox.yaml --database-url postgres://signalbox@db2/signalbox",
		RunE: func(c *cobra.Command, _ []string) error { return s.rebuild(c.Context(), &v) },
	}
	v.bind(c)
	need(c, "database-url")
	return c
}

// rebuilt is what `archive rebuild` prints.
type rebuilt struct {
	archive.Rebuilt
	Dump archive.Dumped `json:"dump"`
}

func (s *session) rebuild(ctx context.Context, v *settings) error {
	cfg, err := s.archiveSettings(v)
	if err != nil {
		return err
	}
	stores, err := openArchive(ctx, cfg)
	if err != nil {
		return err
	}
	defer stores.close()
	if err := stores.catalog.Migrate(ctx); err != nil {
		return err
	}
	l := stores.catalog.Ledger()
	found, err := archive.Rebuild(ctx, stores.bucket, l)
	if errors.Is(err, ledger.ErrNotEmpty) {
		return fmt.Errorf("archive rebuild: %w: name an empty database with --database-url, or empty the ledger as `signalbox archive rebuild --help` says", err)
	}
	if err != nil {
		return fmt.Errorf("archive rebuild: %w", err)
	}
	out := rebuilt{Rebuilt: found}
	if out.Dump, err = archive.Dump(ctx, l, io.Discard); err != nil {
		return fmt.Errorf("archive rebuild: the ledger is complete, but %w", err)
	}
	return s.print(out, func(t *table) {
		t.facts("topics", out.Topics, "partitions", out.Partitions, "flushes", out.Flushes, "swaps", out.Swaps, "files", out.Files,
			"rows", out.Rows, "steps without a manifest", out.Gaps, "dump", out.Dump.SHA256)
	})
}

func (s *session) dumpCommand() *cobra.Command {
	var v settings
	var digest bool
	c := &cobra.Command{
		Use: "dump", Short: "Print the durable part of the archive's ledger", Args: cobra.NoArgs,
		Long: `Print every flush and swap as JSON lines, in the order in which they were committed and in the bytes of their manifests,
and then how far each partition is. Two ledgers with the same dump are the same, but for who holds which claim.`,
		Example: "  signalbox archive dump > ledger.jsonl\n  signalbox archive dump --digest",
		RunE:    func(c *cobra.Command, _ []string) error { return s.dump(c.Context(), &v, digest) },
	}
	v.bind(c)
	c.Flags().BoolVar(&digest, "digest", false, "print only counts and the SHA-256 of the dump")
	return c
}

func (s *session) dump(ctx context.Context, v *settings, digest bool) error {
	cfg, err := s.archiveSettings(v)
	if err != nil {
		return err
	}
	stores, err := openArchive(ctx, cfg)
	if err != nil {
		return err
	}
	defer stores.close()
	to := s.stdout
	if digest {
		to = io.Discard
	}
	wrote, err := archive.Dump(ctx, stores.catalog.Ledger(), to)
	if err != nil {
		return fmt.Errorf("archive dump: %w", err)
	}
	if !digest {
		return nil
	}
	return s.print(wrote, func(t *table) {
		t.facts("partitions", wrote.Partitions, "flushes", wrote.Flushes, "swaps", wrote.Swaps, "sha256", wrote.SHA256)
	})
}
