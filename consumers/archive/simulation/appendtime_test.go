package simulation_test

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where a batch has its checksum and its times, and where what the checksum covers begins.
const (
	batchSum   = 17
	batchBody  = 21
	batchFirst = 27
	batchMax   = 35
	batchHead  = 61
)

// appendTime has a broker put the time of the append into the batches of a request, as the topics are configured: kfake
// keeps the producer's, which is earlier where the producer had to try again.
func appendTime(r *kmsg.ProduceRequest) {
	now := uint64(time.Now().UnixMilli())
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if len(p.Records) < batchHead {
				continue
			}
			binary.BigEndian.PutUint64(p.Records[batchFirst:], now)
			binary.BigEndian.PutUint64(p.Records[batchMax:], now)
			binary.BigEndian.PutUint32(p.Records[batchSum:], crc32.Checksum(p.Records[batchBody:], crc32.MakeTable(crc32.Castagnoli)))
		}
	}
}
