package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && !strings.HasPrefix(os.Args[1], "-") { // the S3 gateway of a test
		gatewaytest.Main(m)
	}
	os.Exit(pgtest.Run(m))
}

// stack is real servers, with something in the archive.
type stack struct {
	file  string // configuration
	token string // of somebody who may look
	db    *pgtest.DB
	s3    *s3bucket.Bucket
}

func topic() events.TopicPartition {
	return events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte("t")), Topic: "events.t"}
}

func newStack(t *testing.T) stack {
	t.Helper()
	cfg := gatewaytest.Start(t)
	b, err := s3bucket.New(cfg)
	check(t, err)
	t.Cleanup(b.Close)
	check(t, b.EnsureBucket(t.Context()))
	dir := t.TempDir()
	text, token, err := auth.NewToken("somebody", auth.Viewer)
	check(t, err)
	tokens, err := json.Marshal([]auth.Token{token})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "tokens.json"), tokens, 0o600))
	s := stack{filepath.Join(dir, "signalbox.yaml"), text, pgtest.New(t), b}
	check(t, os.WriteFile(s.file, fmt.Appendf(nil, `
database_url: %s
s3: {endpoint: %q, bucket: %s, access_key: %s, secret_key: %s}
health_listen: 127.0.0.1:0
tokens: %s
archive: {iceberg: {namespace: lake}}
`, s.db.URL, cfg.Endpoint, cfg.Bucket, cfg.AccessKey, cfg.SecretKey, filepath.Join(dir, "tokens.json")), 0o600))
	a, err := archive.New(archive.Config{Ledger: s.db.Catalog.Ledger(), Bucket: b, Owner: "test", Source: "/test", MaxRows: 1})
	check(t, err)
	_, err = a.Assigned(t.Context(), topic())
	check(t, err)
	check(t, a.Records(t.Context(), topic(), []events.Record{{AppendTime: time.Now(), Value: []byte("1")}}, 1, 1))
	a.Revoked(t.Context(), topic())
	return s
}

func (s stack) view(t *testing.T) ledger.View {
	t.Helper()
	v, err := s.db.Catalog.Views().View(t.Context(), topic().TopicID)
	check(t, err)
	return v
}

// TestOnce is not parallel, and nor is TestRun: a process has one place for its metrics.
func TestOnce(t *testing.T) {
	s := newStack(t)
	var said bytes.Buffer
	if err := run(t.Context(), []string{"-config", s.file, "-once"}, &said, nothing); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	v := s.view(t)
	if !strings.Contains(said.String(), "archive view published") || v.Namespace != "lake" || !strings.HasPrefix(v.Location, "s3://test/iceberg/t.") {
		t.Errorf("%+v\n%s", v, said.String())
	}
}

// TestRun: the program publishes, answers for itself, and ends when it is told to.
func TestRun(t *testing.T) {
	s := newStack(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said shared
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-config", s.file}, &said, nothing) }()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	address := regexp.MustCompile(`address=(\S+)`)
	for !strings.Contains(said.String(), "archive view published") || !address.MatchString(said.String()) {
		select {
		case <-tick.C:
		case err := <-done:
			t.Fatalf("%v\n%s", err, said.String())
		case <-late:
			t.Fatalf("nothing is published after a minute:\n%s", said.String())
		}
	}
	for path, want := range map[string]string{"/livez": "alive", "/readyz": "ready", "/metrics": "signalbox_archive_iceberg_snapshots_total"} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address.FindStringSubmatch(said.String())[1]+path, nil)
		check(t, err)
		q.Header.Set("Authorization", "Bearer "+s.token)
		r, err := http.DefaultClient.Do(q)
		check(t, err)
		body, err := io.ReadAll(r.Body)
		check(t, err)
		r.Body.Close()
		if r.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s\n%s", path, r.Status, body)
		}
	}
	cancel()
	check(t, <-done)
	if v := s.view(t); v.Location == "" {
		t.Error("nothing is published")
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"nothing":   {nil, []string{"database_url", "s3.access_key"}},
		"no file":   {[]string{"-config", "/nowhere"}, []string{"/nowhere"}},
		"arguments": {[]string{"once"}, []string{"once"}},
		"a flag":    {[]string{"-twice"}, []string{"-twice"}},
	} {
		err := run(t.Context(), c.args, io.Discard, nothing)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: no word of %s", name, err, want)
			}
		}
	}
}

// nothing is an environment without variables.
func nothing(string) (string, bool) { return "", false }

// shared is a buffer that is read while it is written to.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
