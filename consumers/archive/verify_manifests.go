package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const manifestPrefix = mirror.Prefix

// listing is the objects of a bucket, by key, that a walk in the same order comes past.
type listing struct {
	next    func() (bucket.Attrs, error, bool)
	stop    func()
	at      bucket.Attrs // the first that was not passed
	some    bool
	started bool
}

func newListing(objects iter.Seq2[bucket.Attrs, error]) *listing {
	l := &listing{}
	l.next, l.stop = iter.Pull2(objects)
	return l
}

func (l *listing) advance() (err error) {
	l.started = true
	l.at, err, l.some = l.next()
	return err
}

// pass calls stray for every object before key, and says whether there is one under key.
func (l *listing) pass(key string, stray func(bucket.Attrs) error) (there bool, err error) {
	if !l.started {
		err = l.advance()
	}
	for err == nil && l.some && l.at.Key < key {
		if err = stray(l.at); err == nil {
			err = l.advance()
		}
	}
	if err != nil || !l.some || l.at.Key != key {
		return false, err
	}
	return true, l.advance()
}

// rest calls stray for every object that was not passed.
func (l *listing) rest(stray func(bucket.Attrs) error) error {
	_, err := l.pass("\xff", stray) // behind any key: keys are UTF-8
	return err
}

// pending is a manifest that has to be there.
type pending struct {
	of   ledger.Partition
	key  string
	body []byte
}

// manifest compares a manifest with the ledger. The newest of its chain may be on its way.
func (v *verification) manifest(ctx context.Context, m pending, newest bool) error {
	if _, err := v.manifests.pass(m.key, func(a bucket.Attrs) error { return v.strayManifest(ctx, a) }); err != nil {
		return err
	}
	got, err := readAll(ctx, v.Bucket, m.key)
	switch {
	case errors.Is(err, bucket.ErrNotFound) && newest:
		v.unmirrored = append(v.unmirrored, m)
	case errors.Is(err, bucket.ErrNotFound):
		v.faultOf(m.of, "%s is missing", m.key)
	case err != nil:
		return err
	case !bytes.Equal(got, m.body):
		v.faultOf(m.of, "%s does not say what the ledger says", m.key)
	}
	return nil
}

// mirroredLate looks again for manifests that were not there yet.
func (v *verification) mirroredLate(ctx context.Context) error {
	late := v.unmirrored
	v.unmirrored = nil
	for _, m := range late {
		if err := v.manifest(ctx, m, true); err != nil {
			return err
		}
	}
	for _, m := range v.unmirrored {
		v.faultOf(m.of, "%s is missing: whoever claims the partition next writes it", m.key)
	}
	return nil
}

// strayManifest judges a manifest that the walk did not come past: of a step that is younger than the walk, or of one that
// the ledger does not have.
func (v *verification) strayManifest(ctx context.Context, a bucket.Attrs) error {
	id, p, n, ok := parseManifestKey(a.Key)
	if !ok {
		v.fault("%s is no manifest: look where it comes from, and remove it", a.Key)
		return nil
	}
	known, err := v.knows(ctx, id, p, n)
	if err == nil && !known {
		v.fault("%s is beyond the ledger: the ledger has lost this step and maybe more (was an old backup restored?); "+
			"stop the archivers, then make the ledger again with `signalbox archive rebuild`", a.Key)
	}
	return err
}

// knows reports whether the ledger has the step of a manifest now.
func (v *verification) knows(ctx context.Context, id uuid.UUID, p int32, n int64) (bool, error) {
	if p == ledger.Several {
		s, err := v.Ledger.Swaps(ctx, id, n, 1)
		return len(s) > 0 && s[0].N == n, err
	}
	f, err := v.Ledger.Flushes(ctx, ledger.Partition{TopicID: id, Partition: p}, n, 1)
	return len(f) > 0 && f[0].Start == n, err
}

// parseManifestKey takes the key of a manifest apart: of the flush of partition p that begins at n, or, where p is
// ledger.Several, of swap n. Only keys are ok that mirror writes.
func parseManifestKey(key string) (topicID uuid.UUID, p int32, n int64, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, manifestPrefix), "/")
	if len(parts) != 3 {
		return topicID, 0, 0, false
	}
	id, err1 := hex.DecodeString(parts[0])
	n, err2 := strconv.ParseInt(strings.TrimSuffix(parts[2], ".json"), 10, 64)
	if err1 != nil || err2 != nil || n < 0 || len(id) != len(topicID) {
		return topicID, 0, 0, false
	}
	copy(topicID[:], id)
	if parts[1] == "swaps" {
		return topicID, ledger.Several, n, key == mirror.SwapKey(topicID, n)
	}
	number, err := strconv.ParseInt(parts[1], 10, 32)
	return topicID, int32(number), n, err == nil && number >= 0 && key == mirror.FlushKey(topicID, int32(number), n)
}
