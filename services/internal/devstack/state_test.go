package devstack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
)

var (
	spec = registry.Spec{Kind: "Stream", Name: "things", Body: json.RawMessage(`{}`), Digest: cas.Sum([]byte("{}")), Updated: time.Unix(0, 0)}
	blob = []byte("kept")
)

// write leaves something with every server, through the clients that Signalbox uses.
func write(t *testing.T, s *Stack) {
	t.Helper()
	cfg := kafka.Config{Brokers: []string{s.Kafka}}
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	must(t, err)
	defer adm.Close()
	must(t, adm.EnsureTopics(bounded(t), events.LifecycleTopics()))
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg})
	must(t, err)
	ev, err := events.New(events.TypeTagMoved, "/test", "m/production", "kept", time.Unix(0, 0), events.TagMoved{Tag: "m/production", Generation: 1})
	must(t, err)
	must(t, p.Publish(bounded(t), ev))
	must(t, p.Close(bounded(t)))

	b := objects(t, s)
	must(t, b.EnsureBucket(bounded(t)))
	_, err = b.Put(bounded(t), "a/b", bytes.NewReader(blob), int64(len(blob)), bucket.PutOptions{CreateOnly: true})
	must(t, err)

	c := catalog(t, s)
	must(t, c.Migrate(bounded(t)))
	_, _, err = c.PutSpec(bounded(t), spec)
	must(t, err)
}

// read fails unless every server still has what write left.
func read(t *testing.T, s *Stack) {
	t.Helper()
	f, err := kafka.NewFollower(kafka.Config{Brokers: []string{s.Kafka}})
	must(t, err)
	ctx, cancel := context.WithCancel(bounded(t))
	var ids []string
	must(t, f.Follow(ctx, events.TopicTags, func(ev events.Event) { ids = append(ids, ev.ID()) }, cancel))
	if len(ids) != 1 || ids[0] != "kept" {
		t.Errorf("events in the log: %q", ids)
	}

	r, _, err := objects(t, s).Get(bounded(t), "a/b", bucket.Range{})
	must(t, err)
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("object = %q, %v", got, err)
	}

	got, err := catalog(t, s).Spec(bounded(t), spec.Kind, spec.Name)
	if err != nil || got.Digest != spec.Digest {
		t.Errorf("spec = %+v, %v", got, err)
	}
}

func objects(t *testing.T, s *Stack) *s3bucket.Bucket {
	t.Helper()
	b, err := s3bucket.New(s3bucket.Config{
		Endpoint: s.S3, Bucket: "signalbox", PathStyle: true, AccessKey: s.Secrets.S3AccessKey, SecretKey: s.Secrets.S3SecretKey,
	})
	must(t, err)
	t.Cleanup(b.Close)
	return b
}

func catalog(t *testing.T, s *Stack) *pgcatalog.Catalog {
	t.Helper()
	c, err := pgcatalog.Open(bounded(t), pgcatalog.Config{URL: s.DatabaseURL})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecretsAreForTheirOwner(t *testing.T) {
	dir := t.TempDir()
	first, err := LoadSecrets(dir)
	must(t, err)
	second, err := LoadSecrets(dir)
	must(t, err)
	if first.AdminToken == "" || first.AdminToken != second.AdminToken || first.RunKey != second.RunKey || first.S3SecretKey != second.S3SecretKey {
		t.Error("the secrets are not kept")
	}
	if len(first.RunKey) < 32 || first.RunKey == first.S3SecretKey {
		t.Error("the secrets are not secrets")
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v beside the secrets, %v", left, err)
	}
}

func TestReachable(t *testing.T) {
	dir := dataDir(t)
	inner := filepath.Join(dir, "closed", "inner")
	must(t, os.MkdirAll(inner, 0o755))
	if !reachable(inner) {
		t.Errorf("%s is not reachable", inner)
	}
	must(t, os.Chmod(filepath.Dir(inner), 0o700))
	if reachable(inner) || reachable(filepath.Join(dir, "absent")) {
		t.Error("a closed or absent directory is reachable")
	}
}
