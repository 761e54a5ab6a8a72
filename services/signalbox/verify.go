package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
)

// errArchiveFaults is what `archive verify` ends with: the faults were printed.
var errArchiveFaults = errors.New("the archive is not whole: see above")

func (s *session) verifyCommand() *cobra.Command {
	var v settings
	c := &cobra.Command{
		Use: "verify", Short: "Check that the archive holds every offset exactly once", Args: cobra.NoArgs,
		Long: `Walk the ledger from offset 0 of every partition and read every file: no hole, no overlap, every file and manifest
there with the promised bytes. It reads the database and the object store of the configuration, or of the stack on --data.`,
		Example: "  signalbox archive verify --data signalbox-demo",
		RunE:    func(c *cobra.Command, _ []string) error { return s.verify(c.Context(), &v) },
	}
	v.bind(c)
	return c
}

func (s *session) verify(ctx context.Context, v *settings) error {
	cfg, err := v.load(s)
	if err != nil {
		return err
	}
	if cfg, err = s.running(cfg); err != nil {
		return err
	}
	catalog, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: cfg.DatabaseURL, MaxConns: 2})
	if err != nil {
		return err
	}
	defer catalog.Close()
	b, err := openBucket(cfg.S3)
	if err != nil {
		return err
	}
	defer b.Close()
	report, err := archive.Verify(ctx, catalog.Ledger(), b)
	if err != nil {
		return fmt.Errorf("archive verify: %w", err)
	}
	err = s.print(report, func(t *table) {
		t.facts("partitions", report.Partitions, "flushes", report.Flushes, "files", report.Files, "rows", report.Rows,
			"bytes", report.Bytes, "lost to retention", report.Lost, "faults", len(report.Faults))
		for _, f := range report.Faults {
			t.row("FAULT", f)
		}
	})
	if err == nil && len(report.Faults) > 0 {
		err = errArchiveFaults
	}
	return err
}
