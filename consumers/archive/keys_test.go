package archive

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

func TestFileKeysAreTakenApart(t *testing.T) {
	for _, topic := range []string{"events.flights", "signalbox.archive", "events.größer/=%"} {
		tp := events.TopicPartition{TopicID: [16]byte{1, 2}, Topic: topic, Partition: 12}
		for _, typ := range []string{"t", "p1-2-3-4.parquet", "a/b", ledger.TypeOther} {
			key := fileKey(tp, 77, typ, time.Unix(0, 0), 5, 900)
			segment, partition, epoch, ok := parseFileKey(key)
			if !ok || segment != topicSegment(tp) || partition != 12 || epoch != 77 {
				t.Errorf("%s: %q %d %d %v", key, segment, partition, epoch, ok)
			}
		}
	}
}

// FuzzKeys: names in a bucket are anybody's. What is taken for a manifest's key is one.
func FuzzKeys(f *testing.F) {
	f.Add(mirror.FlushKey(uuid.UUID{1}, 7, 42))
	f.Add(mirror.SwapKey(uuid.UUID{1}, 2))
	f.Add(fileKey(events.TopicPartition{Topic: "events.x"}, 3, "t", time.Unix(0, 0), 0, 9))
	f.Add("manifests/00000000000000000000000000000000/-0001/00000000000000000000.json")
	f.Fuzz(func(t *testing.T, key string) {
		if id, p, n, ok := parseManifestKey(key); ok {
			again := mirror.FlushKey(id, p, n)
			if p == ledger.Several {
				again = mirror.SwapKey(id, n)
			}
			if again != key || n < 0 || p < ledger.Several {
				t.Errorf("%q is taken for %q", key, again)
			}
		}
		if _, p, epoch, ok := parseFileKey(key); ok && (p < 0 || epoch < 0) {
			t.Errorf("%q: partition %d, epoch %d", key, p, epoch)
		}
	})
}
