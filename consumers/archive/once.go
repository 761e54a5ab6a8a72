//go:build !mutant_m1

package archive

import (
	"fmt"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// createOnly makes a PUT that takes nothing away: whatever is there stays.
func createOnly(sum cas.Digest, contentType string) bucket.PutOptions {
	return bucket.PutOptions{CreateOnly: true, SHA256: sum, ContentType: contentType}
}

// fileName has the epoch, which keeps writers that lost their claim from each other's names.
func fileName(partition int32, start, end, epoch int64) string {
	return fmt.Sprintf("p%d-%d-%d-%d.parquet", partition, start, end, epoch)
}
