package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
)

// job is what an archiver of this program is to do.
type job struct {
	Broker   string
	Topic    string
	Records  int64
	Group    string
	Database string          // empty: a ledger in memory
	Bucket   s3bucket.Config // without an endpoint: objects go nowhere
	Profile  string          // file of a CPU profile; empty: none
}

// archiver archives a topic in this process, with the real ledger and store or without.
func archiver(args []string) (s spent, err error) {
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return s, err
	}
	if j.Profile != "" {
		f, err := os.Create(j.Profile)
		if err != nil {
			return s, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return s, err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	meter := &metered{Ledger: ledgertest.NewMemory(), want: j.Records, done: cancel}
	if j.Database != "" {
		c, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: j.Database, MaxConns: 8})
		if err != nil {
			return s, err
		}
		defer c.Close()
		if err := c.Migrate(ctx); err != nil {
			return s, err
		}
		meter.Ledger = c.Ledger()
	}
	var b bucket.Bucket = nowhere{membucket.New()}
	if j.Bucket.Endpoint != "" {
		real, err := s3bucket.New(j.Bucket)
		if err != nil {
			return s, err
		}
		defer real.Close()
		b = real
	}
	tap, err := kafka.NewTap(kafka.TapConfig{Config: kafka.Config{Brokers: []string{j.Broker}}, Group: j.Group, Pattern: "^" + j.Topic + "$"})
	if err != nil {
		return s, err
	}
	a, err := archive.New(archive.Config{Ledger: meter, Bucket: b, Owner: "bench", Source: "/bench", Committer: tap, MaxAge: 5 * time.Second})
	if err != nil {
		return s, err
	}
	var worker sync.WaitGroup
	var failed error
	worker.Go(func() { failed = a.Run(ctx) })
	err = tap.Run(ctx, a)
	worker.Wait()
	if err := errors.Join(err, failed); err != nil {
		return s, err
	}
	if meter.records < j.Records {
		return s, fmt.Errorf("%d of %d records archived", meter.records, j.Records)
	}
	return spent{Records: meter.records, Out: meter.bytes, Commits: meter.took}, nil
}

// metered counts what is committed, and how long each commit takes.
type metered struct {
	ledger.Ledger
	want int64
	done func()

	mu             sync.Mutex
	records, bytes int64
	took           []int64
}

// Commit passes the flush on.
func (m *metered) Commit(ctx context.Context, f ledger.Flush, seal func(seq int64) ([]events.Event, error)) (ledger.Flush, error) {
	begin := time.Now()
	f, err := m.Ledger.Commit(ctx, f, seal)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took = append(m.took, time.Since(begin).Nanoseconds())
	if err == nil {
		m.records += f.Records
		for _, file := range f.Files {
			m.bytes += file.Bytes
		}
	}
	if m.records >= m.want {
		m.done()
	}
	return f, err
}

// nowhere takes every object and keeps none.
type nowhere struct{ bucket.Bucket }

// Put reads nothing.
func (nowhere) Put(_ context.Context, key string, _ io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	return bucket.Attrs{Key: key, Size: size, SHA256: o.SHA256}, nil
}
