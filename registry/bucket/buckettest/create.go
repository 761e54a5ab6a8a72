package buckettest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

func testCreateOnly(t *testing.T, b bucket.Bucket) {
	create := bucket.PutOptions{CreateOnly: true, SHA256: sum("first")}
	put(t, b, "k", "first", create)
	for _, body := range []string{"first", "other"} { // the same bytes are no excuse
		_, err := b.Put(t.Context(), "k", strings.NewReader(body), int64(len(body)),
			bucket.PutOptions{CreateOnly: true, SHA256: sum(body)})
		wantErr(t, "second create of "+body, err, bucket.ErrExists)
	}
	_, err := b.Put(t.Context(), "k", strings.NewReader("other"), 5, bucket.PutOptions{CreateOnly: true})
	wantErr(t, "second create without a checksum", err, bucket.ErrExists)
	wantBody(t, b, "k", "first")

	_, err = b.Put(t.Context(), "fresh", strings.NewReader("wrong"), 5, create)
	wantErr(t, "create with a wrong checksum", err, bucket.ErrChecksum)
	wantAbsent(t, b, "fresh")
	put(t, b, "fresh", "first", create)
}

// testRace lets 16 writers with different bytes go for the same key at the same moment, key after key.
func testRace(t *testing.T, b bucket.Bucket) {
	const writers, keys = 16, 10
	for k := range keys {
		key := fmt.Sprintf("race/%d", k)
		errs := make([]error, writers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				body := strings.Repeat(string(rune('a'+w)), 2000)
				<-start
				_, errs[w] = b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)),
					bucket.PutOptions{CreateOnly: true, SHA256: sum(body)})
			})
		}
		close(start)
		wg.Wait()
		var winners []int
		for w, err := range errs {
			switch {
			case err == nil:
				winners = append(winners, w)
			case !errors.Is(err, bucket.ErrExists):
				t.Errorf("%s, writer %d: got %v, want %v", key, w, err, bucket.ErrExists)
			}
		}
		if len(winners) != 1 {
			t.Fatalf("%s: winners are %v, want exactly one", key, winners)
		}
		wantBody(t, b, key, strings.Repeat(string(rune('a'+winners[0])), 2000))
	}
}
