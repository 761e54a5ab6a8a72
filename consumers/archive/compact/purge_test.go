package compact_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// pins are references that a test chooses.
type pins struct {
	keys map[string]bool
	err  error
}

func (p *pins) Referenced(context.Context, []string) (map[string]bool, error) { return p.keys, p.err }

// objects counts what is in the bucket under the prefix of files.
func (w *world) objects(t *testing.T) (keys []string) {
	t.Helper()
	for a, err := range w.bucket.List(t.Context(), "archive/") {
		check(t, err)
		keys = append(keys, a.Key)
	}
	return keys
}

// TestPurge: what was replaced goes after the grace, but for what a dataset was made from; a snapshot of before says so.
func TestPurge(t *testing.T) {
	w := newWorld()
	w.small(t)
	before := w.live(t)
	seq := before[len(before)-1].Seq
	for _, f := range before {
		seq = max(seq, f.Seq)
	}
	at := func(seq int64) ([]ledger.LedgerFile, error) {
		return w.ledger.Files(t.Context(), ledger.FileQuery{UpToSeq: seq})
	}
	look := func(grace time.Duration, p *pins) compact.Stats {
		c := w.compactor(t, func(c *compact.Config) { c.Grace, c.References = grace, p })
		if err := c.Look(t.Context()); !errors.Is(err, p.err) {
			t.Errorf("%v, want %v", err, p.err)
		}
		return c.Stats()
	}
	if s := look(time.Hour, &pins{}); s.Purged != 0 || s.Compactions != 2 {
		t.Errorf("%+v: within the grace nothing goes", s)
	}
	if fs, err := at(seq); err != nil || len(fs) != len(before) || len(w.objects(t)) != len(before)+2 {
		t.Errorf("a snapshot of before has %d of %d files, %v", len(fs), len(before), err)
	}
	if s := look(time.Nanosecond, &pins{err: errors.New("catalog is down")}); s.Purged != 0 {
		t.Errorf("%+v: who knows what datasets were made from?", s)
	}
	pinned := before[1].Key
	s := look(time.Nanosecond, &pins{keys: map[string]bool{pinned: true}})
	if s.Purged != int64(len(before)-1) || s.Pinned != 1 || s.PurgedBytes == 0 {
		t.Errorf("%+v", s)
	}
	if _, err := at(seq); !errors.Is(err, ledger.ErrPurged) {
		t.Errorf("a snapshot of before: %v, want ErrPurged", err)
	}
	if keys := w.objects(t); len(keys) != 3 || !slices.Contains(keys, pinned) {
		t.Errorf("left: %q", keys)
	}
	if s := look(time.Nanosecond, &pins{}); s.Purged != 1 || len(w.objects(t)) != 2 {
		t.Errorf("%+v: the file is not pinned any more", s)
	}
	w.kept(t)
	w.whole(t)
}

// TestPurgeGoesOn: objects that a crash left after the ledger said that they are removed go with the next look.
func TestPurgeGoesOn(t *testing.T) {
	w := newWorld()
	w.small(t)
	check(t, w.compactor(t, nil).Look(t.Context()))
	l := &life{}
	c := w.compactor(t, func(c *compact.Config) { atOnce(c); c.Bucket = failing{w.bucket} })
	if err := c.Look(t.Context()); err != nil {
		t.Fatal(err) // the ledger has it: the objects are for later
	}
	if n := len(w.objects(t)); n < 5 || c.Stats().Purged == 0 {
		t.Fatalf("%d objects, %+v: the test is void", n, c.Stats())
	}
	check(t, w.compactor(t, func(c *compact.Config) { l.mortal(c) }).Look(t.Context()))
	if keys := w.objects(t); len(keys) != 2 {
		t.Errorf("left: %q", keys)
	}
}

// failing is a bucket that removes nothing.
type failing struct{ bucket.Bucket }

func (failing) Delete(context.Context, string) error { return errors.New("no right to delete") }

// catalog lists datasets, newest first, as a registry does.
type catalog struct {
	list  []registry.Dataset
	asked []int
}

func (c *catalog) ListDatasets(_ context.Context, f registry.DatasetFilter) ([]registry.Dataset, error) {
	c.asked = append(c.asked, f.Limit)
	return c.list[:min(len(c.list), f.Limit)], nil
}

func (c *catalog) add(t *testing.T, keys ...string) {
	t.Helper()
	m := manifest.Dataset{
		Name: "d", Plan: cas.Sum([]byte(strings.Join(keys, " "))), Spec: cas.Sum(nil), Compiler: "x", Start: start(), End: start().Add(time.Hour),
		Watermark: start().Add(time.Hour), Columns: []manifest.Column{{Name: "y", Type: manifest.Boolean}}, Label: "y",
		Parts: []manifest.Part{{Key: "p", Digest: cas.Sum(nil), Bytes: 1}},
	}
	for _, key := range keys {
		m.Sources = append(m.Sources, manifest.Source{Key: key, Digest: cas.Sum(nil), Topic: topic, End: 1})
	}
	b := must(m.Encode())(t)
	c.list = append([]registry.Dataset{{ID: cas.Sum(b), Manifest: b}}, c.list...)
}

// TestDatasets: every dataset counts, the first ones and those since the last time, and is read once.
func TestDatasets(t *testing.T) {
	c := &catalog{}
	for i := range 500 {
		c.add(t, "a"+strings.Repeat("x", i%100)+string(rune('a'+i/100)))
	}
	d := compact.NewDatasets(c)
	ask := func(keys ...string) string {
		var out []string
		for key := range must(d.Referenced(t.Context(), keys))(t) {
			out = append(out, key)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if got := ask("aa", "axe", "b"); got != "aa axe" || !slices.Equal(c.asked, []int{200, 800}) {
		t.Errorf("%q after %v", got, c.asked)
	}
	c.asked = nil
	c.add(t, "b", "c")
	if got := ask("aa", "b", "c", "d"); got != "aa b c" || !slices.Equal(c.asked, []int{200}) {
		t.Errorf("%q after %v", got, c.asked)
	}
	c.list[0].Manifest, c.list[0].ID = []byte("{}"), cas.Sum([]byte("{}"))
	if _, err := d.Referenced(t.Context(), nil); !errors.Is(err, manifest.ErrInvalid) {
		t.Errorf("a dataset whose sources are not known: %v", err)
	}
}

func TestConfig(t *testing.T) {
	_, err := compact.New(compact.Config{Target: -1, Grace: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Ledger", "Bucket", "References", "Dir", "Target", "Grace"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no word of %s", err, want)
		}
	}
}
