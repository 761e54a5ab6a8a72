package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// errArchiveFaults is what `archive verify` ends with: the faults were printed.
var errArchiveFaults = errors.New("the archive is not whole: see above")

// verifyFlags say what `archive verify` looks at.
type verifyFlags struct{ kafka, noKafka, deep bool }

func (s *session) verifyCommand() *cobra.Command {
	var v settings
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify", Short: "Check that the archive holds every offset exactly once", Args: cobra.NoArgs,
		Long: `Walk the ledger from offset 0 of every partition: no hole, no overlap, as many rows after compaction as before but for the
duplicates that it counted, every file and manifest in the object store with the promised bytes, nothing there that the
ledger has lost. Where brokers are configured Kafka is looked at, too: topics and partitions that are not archived, records
that retention removed first, a log that became shorter.

With --deep every byte and every row is read, and held against what readers pass over files by: offsets, types, hours and
times. Every record that Kafka still has is compared with its row, also where compaction has written it anew. Of a record
that compaction left out, another delivery of the same event must be there: of the same hour, saying the same, known no later.

It reads the database, the object store and the brokers of the configuration, or of the stack on --data, and changes
nothing. Archivers may run meanwhile; objects of flushes under way count as orphans then.`,
		Example: "  signalbox archive verify --data signalbox-demo\n  signalbox archive verify --config signalbox.yaml --deep",
		RunE:    func(c *cobra.Command, _ []string) error { return s.verify(c.Context(), &v, f) },
	}
	v.bind(c)
	c.Flags().BoolVar(&f.kafka, "kafka", false, "look at Kafka, and fail where no brokers are configured (default where they are)")
	c.Flags().BoolVar(&f.noKafka, "no-kafka", false, "do not look at Kafka")
	c.Flags().BoolVar(&f.deep, "deep", false, "read every byte and every row")
	c.MarkFlagsMutuallyExclusive("kafka", "no-kafka")
	return c
}

func (s *session) verify(ctx context.Context, v *settings, f verifyFlags) error {
	cfg, err := s.archiveSettings(v)
	if err != nil {
		return err
	}
	stores, err := openArchive(ctx, cfg)
	if err != nil {
		return err
	}
	defer stores.close()
	verifier := archive.Verifier{Ledger: stores.catalog.Ledger(), Bucket: stores.bucket, Deep: f.deep}
	switch brokers := len(cfg.Kafka.Brokers) > 0; {
	case f.kafka && !brokers:
		return errors.New("archive verify --kafka: no brokers are configured: set kafka.brokers or SIGNALBOX_KAFKA_BROKERS")
	case brokers && !f.noKafka:
		admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: kafkaConfig(cfg.Kafka)})
		if err != nil {
			return err
		}
		defer admin.Close()
		verifier.Log = admin
	}
	report, err := verifier.Run(ctx)
	if err != nil {
		return fmt.Errorf("archive verify: %w", err)
	}
	if report.Faults == nil {
		report.Faults = []string{}
	}
	err = s.print(report, func(t *table) { reportRows(t, report) })
	if err == nil && !report.Whole() {
		err = errArchiveFaults
	}
	return err
}

func reportRows(t *table, r archive.Report) {
	t.facts("partitions", r.Partitions, "flushes", r.Flushes, "swaps", r.Swaps, "files", r.Files, "rows", r.Rows, "bytes", r.Bytes,
		"lost to retention", r.Lost, "orphans", objectsOf(r.Orphans), "purged, not removed", objectsOf(r.Purgeable))
	if k := r.Kafka; k != nil {
		t.facts("partitions in kafka", k.Partitions, "records compared", k.Compared, "left out as duplicates", k.Duplicates)
	}
	t.facts("faults", int64(len(r.Faults))+r.MoreFaults)
	for _, f := range r.Faults {
		t.row("FAULT", f)
	}
	if r.MoreFaults > 0 {
		t.row("FAULT", fmt.Sprintf("and %d more", r.MoreFaults))
	}
}

func objectsOf(o archive.Objects) string {
	return fmt.Sprintf("%d objects, %d bytes", o.Count, o.Bytes)
}

// archiveSettings returns a configuration that has both halves of the archive. Where only the database is named, the rest is
// that of the running stack.
func (s *session) archiveSettings(v *settings) (config.Config, error) {
	cfg, err := v.load(s)
	if err != nil {
		return cfg, err
	}
	if cfg.DatabaseURL == "" || cfg.S3.AccessKey != "" {
		return s.running(cfg)
	}
	database, brokers := cfg.DatabaseURL, cfg.Kafka.Brokers
	cfg.DatabaseURL, cfg.Kafka.Brokers = "", nil
	if cfg, err = s.running(cfg); err != nil {
		return cfg, fmt.Errorf("no object store is configured: set s3 in the configuration; %w", err)
	}
	cfg.DatabaseURL = database
	if len(brokers) > 0 {
		cfg.Kafka.Brokers = brokers
	}
	return cfg, nil
}

// archiveStores are the two halves of the archive.
type archiveStores struct {
	catalog *pgcatalog.Catalog
	bucket  *s3bucket.Bucket
}

func openArchive(ctx context.Context, cfg config.Config) (archiveStores, error) {
	catalog, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: cfg.DatabaseURL, MaxConns: 2})
	if err != nil {
		return archiveStores{}, err
	}
	b, err := openBucket(cfg.S3)
	if err != nil {
		catalog.Close()
		return archiveStores{}, err
	}
	return archiveStores{catalog, b}, nil
}

func (s archiveStores) close() {
	s.bucket.Close()
	s.catalog.Close()
}
