package archive_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
)

// TestTailOfATopicThatIsGone: an archiver dies between its commit and the manifest, and the topic is deleted: nobody claims the
// partition again, and the flush would be missing from every ledger that is made from the manifests.
func TestTailOfATopicThatIsGone(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.gone", 0)
	synctest.Test(t, func(t *testing.T) {
		dead := buckettest.NewFaulty(w.bucket, buckettest.Fault{Op: buckettest.Put, Prefix: "manifests/", Times: 1000, Err: errDown})
		a := w.archiver(t, func(c *archive.Config) { c.Bucket, c.MaxRows = dead, 2 })
		assign(t, a, tp)
		deliver(t, a, tp, records("t", start(), 0, 1)...)
		last := w.flushes(t, tp)[0]
		missing := func() bool {
			_, err := w.bucket.Stat(t.Context(), last.Manifest)
			return errors.Is(err, bucket.ErrNotFound)
		}
		if !missing() {
			t.Fatal("the manifest is there: the test is void")
		}
		other := w.archiver(t, func(c *archive.Config) { c.MaxAge = time.Minute })
		stop := run(t, other)
		<-time.After(time.Minute)
		if !missing() {
			t.Error("written while its archiver may still be at it")
		}
		<-time.After(time.Minute)
		stop()
		if missing() {
			t.Error("nobody wrote the manifest")
		}
	})
	w.whole(t)
}
