package config

import (
	"errors"
	"time"
)

// Iceberg says how signalbox-iceberg publishes the archive. Zero means the default.
type Iceberg struct {
	Catalog   string        `yaml:"catalog"`   // what readers call the catalog; signalbox
	Namespace string        `yaml:"namespace"` // what readers call the tables' namespace; archive
	Interval  time.Duration `yaml:"interval"`  // between two snapshots of a table; 1 min, and no less
	Snapshots int           `yaml:"snapshots"` // of a table that stay at most; 100
	// Retain is how long a snapshot stays at most once a newer one is there. Replaced files that it shows are not purged. 24 h.
	Retain time.Duration `yaml:"retain"`
}

// CheckIceberg lists what is missing to publish the archive.
func (c Config) CheckIceberg() error {
	var n needs
	n.need(c.DatabaseURL != "", "database_url", "SIGNALBOX_DATABASE_URL")
	n.need(c.S3.Bucket != "", "s3.bucket", "SIGNALBOX_S3_BUCKET")
	n.need(c.S3.AccessKey != "" && c.S3.SecretKey != "", "s3.access_key and s3.secret_key", "SIGNALBOX_S3_ACCESS_KEY and SIGNALBOX_S3_SECRET_KEY")
	return errors.Join(n.faults...)
}
