//go:build mutant_m1

package archive

import (
	"fmt"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// createOnly breaks that what is there stays.
func createOnly(sum cas.Digest, contentType string) bucket.PutOptions {
	return bucket.PutOptions{SHA256: sum, ContentType: contentType}
}

// fileName breaks that each claim has names of its own.
func fileName(partition int32, start, _, _ int64) string {
	return fmt.Sprintf("p%d-%d.parquet", partition, start)
}
