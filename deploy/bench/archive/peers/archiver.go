package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

// archiver is one of those that are compared.
type archiver interface {
	about() about
	// install gets what it needs into the user's cache, once for a machine, and what it is told into dir.
	install(ctx context.Context, dir string) error
	// start runs it for r, once more after it was killed too.
	start(ctx context.Context, r *run) (process, error)
	// group is its consumer group.
	group(r *run) string
	// rows is how many rows a reader of what it has archived would find now.
	rows(ctx context.Context, r *run) (int64, error)
	// files are the keys of those that such a reader would read.
	files(ctx context.Context, r *run) ([]string, error)
}

// about is what the tables say of an archiver.
type about struct {
	name, title, guarantee string
	data                   func(key string) bool // whether an object holds rows
	kills                  [2]aim
}

// aim is a moment between an object and what makes it count.
type aim struct {
	what string
	key  func(key string) bool
	nth  int // such object of that life of the archiver
}

// run is one archiver on one topic, with a bucket of its own. It may have several lives.
type run struct {
	name    string // of the run, its bucket and its group
	topic   rig.Shop
	servers *rig.Servers // as the archiver reaches them
	bucket  bucket.Bucket
	dir     string
	counted map[string]int64 // rows of an object, which never changes
	ledger  string           // URL of the database, of those who have one
}

// newRun makes a folder and a bucket.
func (b *bench) newRun(ctx context.Context, a archiver, kind string, topic rig.Shop) (*run, error) {
	b.runs++
	r := &run{name: fmt.Sprintf("%s-%s-%d", a.about().name, kind, b.runs), topic: topic, servers: b.servers, counted: map[string]int64{}}
	r.dir = filepath.Join(b.dir, r.name)
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	if err := b.servers.NewBucket(ctx, r.name); err != nil {
		return nil, err
	}
	store, err := s3bucket.New(b.servers.Bucket(r.name))
	r.bucket = store
	return r, err
}

// environment is how a peer is told where things are.
func (r *run) environment() []string {
	s3 := r.servers.Bucket(r.name)
	return append(os.Environ(), "BROKER="+r.servers.Kafka.Addr(), "TOPIC="+r.topic.Topic, "GROUP="+r.name, "BUCKET="+s3.Bucket,
		"S3_ENDPOINT="+s3.Endpoint, "AWS_ACCESS_KEY_ID="+s3.AccessKey, "AWS_SECRET_ACCESS_KEY="+s3.SecretKey, "AWS_REGION="+s3.Region)
}

func (r *run) log() string { return filepath.Join(r.dir, "log") }

// keys lists the objects that hold rows.
func (r *run) keys(ctx context.Context, data func(string) bool) (keys []string, err error) {
	for o, err := range r.bucket.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if data(o.Key) {
			keys = append(keys, o.Key)
		}
	}
	return keys, nil
}

func parquetFile(key string) bool { return strings.HasSuffix(key, ".parquet") }
