package procbackend

import (
	"log/slog"
	"sync"
	"time"
)

// ready is what a parent may take for its imports.
const ready = time.Minute

// pause is how long a parent that never got ready is not tried again: its imports would take the time of the jobs.
const pause = 30 * time.Second

// parent keeps one fork server: it starts one in the background, and another one when a job finds that it has ended.
type parent struct {
	start func() (*forkServer, error) // nil: jobs are never forked
	wait  time.Duration               // for ready
	log   *slog.Logger

	mu     sync.Mutex
	now    *forkServer // ready
	coming bool
	next   time.Time // no other one before
	closed bool
	after  sync.WaitGroup
	stop   chan struct{}
}

// get returns the parent; nil where there is none now: then the next one has been told to come.
func (p *parent) get() *forkServer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != nil {
		select {
		case <-p.now.gone:
			p.log.Warn("warm parent has ended", "pid", p.now.pid, "said", p.now.why())
			p.now = nil
		default:
			return p.now
		}
	}
	if p.start != nil && !p.coming && !p.closed && !time.Now().Before(p.next) {
		p.coming = true
		p.after.Go(p.bring)
	}
	return nil
}

// bring starts a parent and waits until it takes orders.
func (p *parent) bring() {
	began := time.Now()
	s, err := p.start()
	if err == nil {
		err = p.await(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming = false
	switch {
	case err == nil:
		p.now = s
		p.log.Info("warm parent is ready", "pid", s.pid, "seconds", time.Since(began).Seconds())
	case !p.closed:
		p.next = time.Now().Add(pause)
		said := ""
		if s != nil {
			said = s.why()
		}
		p.log.Warn("no warm parent: jobs are started one by one, which takes longer", "error", err, "said", said)
	}
}

// await returns nil once a parent takes orders; else it has been ended.
func (p *parent) await(s *forkServer) error {
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	err := errParentSilent
	select {
	case <-s.ready:
		return nil
	case <-s.gone:
		return errParentGone
	case <-p.stop:
	case <-timer.C:
	}
	s.stop()
	return err
}

// close ends the parent for good, and its jobs.
func (p *parent) close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	p.mu.Unlock()
	p.after.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != nil {
		p.now.stop()
		p.now = nil
	}
}
