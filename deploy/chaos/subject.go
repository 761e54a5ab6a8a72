package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Settings of the subjects: everything is quick, so that much happens.
const (
	sessionTimeout = time.Second
	maxAge         = 300 * time.Millisecond
)

// subject is one process of the production binary, with proxies of its own.
type subject struct {
	name    string
	number  int // of the archiver; -1 for the control plane
	role    string
	program string
	config  string
	dir     string
	log     *os.File

	gate   *gate
	faults *storeFaults
	s3     *s3proxy
	pg     *pgproxy
	watch  *ledgerWatch

	mu      sync.Mutex
	proc    *process
	over    bool
	ended   int // times that it ended by itself
	starts  int
	tending sync.WaitGroup
}

// world is what every subject's configuration says alike.
type world struct {
	servers *servers
	program string
	dir     string
	tokens  string // file
	token   string
	control string // host:port
	watch   *ledgerWatch
	audit   *putAudit
}

// newSubject makes the proxies and the configuration, and starts nothing.
func newSubject(w world, role string, number int) (*subject, error) {
	name := role
	if number >= 0 {
		name = fmt.Sprint(role, "-", number)
	}
	s := &subject{name: name, number: number, role: role, program: w.program, dir: filepath.Join(w.dir, name),
		gate: &gate{}, faults: &storeFaults{}, watch: w.watch}
	var err error
	if err = os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	if s.log, err = os.OpenFile(filepath.Join(w.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if s.s3, err = newS3Proxy(w.servers.store.Endpoint, s.gate, s.faults, w.audit); err != nil {
		return nil, err
	}
	if s.pg, err = newPGProxy(w.servers.pgAddr, number, s.gate, w.watch); err != nil {
		return nil, err
	}
	s.config = filepath.Join(w.dir, name+".yaml")
	return s, s.writeConfig(w)
}

func (s *subject) writeConfig(w world) error {
	db, err := url.Parse(w.servers.pgURL)
	if err != nil {
		return err
	}
	db.Host = s.pg.addr()
	text := fmt.Sprintf(`log_format: json
tokens: %q
token: %q
url: "http://%s"
listen: %s
predict_listen: 127.0.0.1:0
run_key: 0123456789abcdef0123456789abcdef
database_url: %q
kafka: {brokers: [%q], session_timeout: %s}
s3: {endpoint: %q, region: us-east-1, bucket: %s, access_key: %q, secret_key: %q}
archive: {max_age: %s}
`, w.tokens, w.token, w.control, w.control, db, w.servers.kafkaAddr, sessionTimeout, s.s3.endpoint(), bucketName,
		w.servers.store.AccessKey, w.servers.store.SecretKey, maxAge)
	return os.WriteFile(s.config, []byte(text), 0o600)
}

// start starts the process. One that ends although nobody killed it is started again.
func (s *subject) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errors.New(s.name + " is over")
	}
	p, err := startProcess(s.log, s.program, "serve", s.role, "--config", s.config, "--data", s.dir)
	if err != nil {
		return err
	}
	s.proc = p
	s.starts++
	s.tending.Go(func() { s.tend(p) })
	return nil
}

func (s *subject) tend(p *process) {
	<-p.exited
	s.mu.Lock()
	mine := s.proc == p && !s.over
	if mine {
		s.ended++
	}
	s.mu.Unlock()
	if !mine {
		return
	}
	time.Sleep(200 * time.Millisecond) // as an orchestrator would
	s.mu.Lock()
	mine = s.proc == p && !s.over
	s.mu.Unlock()
	if mine {
		if s.number >= 0 {
			s.watch.killed(s.number)
		}
		_ = s.start() // a program that cannot be started shows in the void report
	}
}

// restart kills the process and starts it again at once; between is called when it is dead.
func (s *subject) restart(between func()) error {
	s.mu.Lock()
	p := s.proc
	s.proc = nil
	s.mu.Unlock()
	if p != nil {
		p.kill()
	}
	if s.number >= 0 {
		s.watch.killed(s.number)
	}
	between()
	return s.start()
}

// signal sends to the whole group.
func (s *subject) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.signal(sig)
	}
}

// end stops the process in peace, and kills it where that takes long, which is an error. The proxies go with it.
func (s *subject) end(ctx context.Context) error {
	s.mu.Lock()
	p := s.proc
	s.over = true
	s.mu.Unlock()
	var err error
	if p != nil && ctx.Err() == nil {
		err = p.stop(30 * time.Second)
	} else if p != nil {
		p.kill()
	}
	s.tending.Wait()
	s.s3.close()
	s.pg.close()
	s.log.Close()
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

// ends is how often the process ended by itself, and how often it was started.
func (s *subject) ends() (ended, starts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended, s.starts
}
