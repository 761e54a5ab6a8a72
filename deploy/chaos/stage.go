package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

// stage is everything that runs.
type stage struct {
	options   options
	dir       string
	servers   *servers
	world     world
	archivers []*subject
	control   *subject
	conform   *subject
	acks      *ackLog
	bucket    *s3bucket.Bucket
	checker   *checker
	tailing   sync.WaitGroup
	untail    context.CancelFunc
	began     time.Time // of the faults
	log       *os.File  // of the servers
	progress  *os.File  // of the nemesis
}

// open starts servers and subjects, and waits until events are taken. close ends what it started, also after an error.
func open(ctx context.Context, o options, dir string) (s *stage, err error) {
	s = &stage{options: o, dir: dir}
	if s.log, err = os.Create(filepath.Join(dir, "servers.log")); err != nil {
		return s, err
	}
	if s.progress, err = os.Create(filepath.Join(dir, "nemesis.log")); err != nil {
		return s, err
	}
	ready, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if s.servers, err = startServers(ready, dir, s.log); err != nil {
		return s, err
	}
	s.world = world{servers: s.servers, program: o.Signalbox, dir: dir, tokens: filepath.Join(dir, "tokens.json"),
		watch: newLedgerWatch(), audit: &putAudit{}}
	addrs, err := steadyAddrs(1)
	if err != nil {
		return s, err
	}
	s.world.control = addrs[0]
	if s.world.token, err = newToken(ready, s.world); err != nil {
		return s, err
	}
	if err := s.topics(ready); err != nil {
		return s, err
	}
	if err := s.subjects(ready); err != nil {
		return s, err
	}
	if s.acks, err = openAckLog(filepath.Join(dir, "acks.jsonl")); err != nil {
		return s, err
	}
	return s, s.openChecker(ctx)
}

func newToken(ctx context.Context, w world) (string, error) {
	out, err := exec.CommandContext(ctx, w.program, "token", "new", "--name", "chaos", "--role", "admin", "-o", "json").Output()
	if err != nil {
		return "", fmt.Errorf("signalbox token new: %w", err)
	}
	var made struct {
		Token string          `json:"token"`
		Entry json.RawMessage `json:"entry"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", err
	}
	return made.Token, os.WriteFile(w.tokens, fmt.Appendf(nil, "[%s]", made.Entry), 0o600)
}

func (s *stage) topics(ctx context.Context) error {
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: kafka.Config{Brokers: []string{s.servers.kafkaAddr}}})
	if err != nil {
		return err
	}
	defer adm.Close()
	return adm.EnsureTopics(ctx, directTopics())
}

// subjects starts the control plane, declares the streams and starts the archivers.
func (s *stage) subjects(ctx context.Context) (err error) {
	if s.control, err = newSubject(s.world, "control", -1); err != nil {
		return err
	}
	if err := s.control.start(); err != nil {
		return err
	}
	probe := http.Client{Timeout: 5 * time.Second}
	defer probe.CloseIdleConnections()
	if err := until(ctx, 100*time.Millisecond, func() (bool, error) {
		resp, err := probe.Get("http://" + s.world.control + "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // nobody listens yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}); err != nil {
		return fmt.Errorf("the control plane does not come up, see %s: %w", s.control.log.Name(), err)
	}
	file := filepath.Join(s.dir, "streams.yaml")
	if err := os.WriteFile(file, []byte(streams), 0o600); err != nil {
		return err
	}
	apply := exec.CommandContext(ctx, s.world.program, "apply", "--url", "http://"+s.world.control, "--token", s.world.token, "-f", file)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("signalbox apply: %w\n%s", err, out)
	}
	if s.conform, err = newSubject(s.world, "conform", -1); err != nil {
		return err
	}
	if err := s.conform.start(); err != nil {
		return err
	}
	for i := range archivers {
		a, err := newSubject(s.world, "archive", i)
		if err != nil {
			return err
		}
		s.archivers = append(s.archivers, a)
		if err := a.start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) openChecker(ctx context.Context) (err error) {
	if s.bucket, err = s.servers.bucket(s.servers.store.Endpoint); err != nil {
		return err
	}
	t, err := newTail(s.servers.kafkaAddr)
	if err != nil {
		return err
	}
	s.checker = newChecker(ledgerReader{url: s.servers.pgURL}, s.bucket, t)
	ctx, s.untail = context.WithCancel(ctx)
	s.tailing.Go(func() { t.run(ctx) })
	return nil
}

// close ends everything, the servers last.
func (s *stage) close(ctx context.Context) error {
	var faults []error
	if s.checker != nil && s.violated() { // nothing is left to be seen: no drain
		over, cancel := context.WithCancel(ctx)
		cancel()
		ctx = over
	}
	for _, a := range append(append([]*subject(nil), s.archivers...), s.conform, s.control) {
		if a != nil {
			faults = append(faults, a.end(ctx))
		}
	}
	if s.untail != nil {
		s.untail()
		s.tailing.Wait()
	}
	if s.bucket != nil {
		s.bucket.Close()
	}
	if s.servers != nil {
		faults = append(faults, s.servers.close())
	}
	s.log.Close()
	s.progress.Close()
	return errors.Join(faults...)
}

// until asks again and again until the answer is yes, an error, or ctx ends.
func until(ctx context.Context, d time.Duration, yes func() (bool, error)) error {
	for {
		ok, err := yes()
		if ok || err != nil {
			return err
		}
		if !pause(ctx, d) {
			return context.Cause(ctx)
		}
	}
}
