package procbackend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// Config of a Backend.
type Config struct {
	// Dir holds the jobs' folders; required.
	Dir string
	// Command is the runner; the path of the job document is appended. Required: such as python -m signalbox.runner.
	Command []string
	// Warm is a warm parent, which runs the same jobs by forking: such as python -m signalbox.forkserver signalbox.runner.
	// Empty: each job is a new Command. So it is while there is no parent, and where the system is not Linux.
	Warm []string
	// Patience bounds what the warm parent takes to answer, which is milliseconds as a rule; 0 means 5s.
	Patience time.Duration
	// PythonPath is PYTHONPATH of the jobs, where the package signalbox is.
	PythonPath string
	// Env is added to the jobs' environment, which has none of ours but PATH, HOME, TMPDIR, TZ and the locale.
	Env map[string]string
	// Threads bounds the threads of numeric libraries in one process; 0 means 2.
	Threads int
	// MaxWorkers bounds the processes of one job; 0 means 8.
	MaxWorkers int
	// Grace is the time between SIGTERM and SIGKILL; 0 means 5s.
	Grace time.Duration
	// Log hears of jobs that start and end; nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Threads = cmp.Or(c.Threads, 2)
	c.MaxWorkers = cmp.Or(c.MaxWorkers, 8)
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	c.Patience = cmp.Or(c.Patience, 5*time.Second)
	if runtime.GOOS != "linux" {
		c.Warm = nil // elsewhere a fork after imports is not safe, or cannot be made to die with us
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir is missing"))
	}
	if len(c.Command) == 0 {
		errs = append(errs, errors.New("command is missing"))
	}
	if c.Threads < 0 || c.MaxWorkers < 0 || c.Grace < 0 || c.Patience < 0 {
		errs = append(errs, errors.New("threads, max workers, grace or patience is negative"))
	}
	return errors.Join(errs...)
}

// Backend is a train.Backend. Close it to end its jobs and its warm parent.
type Backend struct {
	cfg    Config
	parent parent
	mu     sync.Mutex
	live   map[key]*process
}

var (
	_ train.Backend  = (*Backend)(nil)
	_ train.Spreader = (*Backend)(nil)
)

type key struct {
	run     registry.RunID
	attempt int
}

// New returns a Backend; it creates Config.Dir, and starts the warm parent without waiting for it.
func New(cfg Config) (*Backend, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("procbackend config: %w", err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("procbackend: %w", err)
	}
	cfg.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("procbackend: %w", err)
	}
	b := &Backend{cfg: cfg, live: map[key]*process{}, parent: parent{log: cfg.Log, wait: ready, stop: make(chan struct{})}}
	if len(cfg.Warm) > 0 {
		b.parent.start = func() (*forkServer, error) {
			return startForkServer(cfg.Warm, cfg.Dir, environment(cfg, 0, 1), cfg.Patience)
		}
		b.parent.get() // comes in the background, so that the first job finds it
	}
	return b, nil
}

// MaxWorkers implements train.Spreader.
func (b *Backend) MaxWorkers() int { return b.cfg.MaxWorkers }

// Submit implements train.Backend.
func (b *Backend) Submit(_ context.Context, j train.Job) error {
	k := key{j.Run, j.Attempt}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.live[k]; ok && !p.vanished() {
		return nil
	}
	delete(b.live, k)
	dir := b.dir(k)
	if _, err := readStatus(dir); err == nil {
		return nil // it has ended already
	}
	if j.Workers > b.cfg.MaxWorkers {
		return fmt.Errorf("job %s/%d: %w: /compute_resource/workers: %d are more than the %d that run here",
			j.Run, j.Attempt, registry.ErrInvalid, j.Workers, b.cfg.MaxWorkers)
	}
	folders, err := prepare(dir, j)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	p, err := b.start(folders, j.Deadline)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	b.live[k] = p
	b.cfg.Log.Info("job started", "run_id", j.Run, "attempt", j.Attempt, "pids", p.pids())
	return nil
}

// Status implements train.Backend.
func (b *Backend) Status(_ context.Context, run registry.RunID, attempt int) (train.Status, error) {
	k := key{run, attempt}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.live[k]; ok {
		select {
		case <-p.done:
			delete(b.live, k)
			if p.vanished() {
				return train.Status{}, fmt.Errorf("job %s/%d, lost with the warm parent: %w", run, attempt, train.ErrNoJob)
			}
			b.cfg.Log.Info("job ended", "run_id", run, "attempt", attempt, "exit_code", p.status.ExitCode, "reason", p.status.Reason)
			return p.status, nil
		default:
			return train.Status{Phase: train.PhaseRunning}, nil
		}
	}
	st, err := readStatus(b.dir(k))
	if errors.Is(err, fs.ErrNotExist) {
		return train.Status{}, fmt.Errorf("job %s/%d: %w", run, attempt, train.ErrNoJob)
	}
	return st, err
}

// Cancel implements train.Backend. It waits for the end of the process groups, at most Config.Grace and a little.
func (b *Backend) Cancel(ctx context.Context, run registry.RunID, attempt int) error {
	k := key{run, attempt}
	b.mu.Lock()
	p, ok := b.live[k]
	b.mu.Unlock()
	if ok {
		if err := p.stop(ctx, b.cfg.Grace); err != nil {
			return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live[k] != p {
		return nil // cancelled and submitted again by somebody else meanwhile
	}
	delete(b.live, k)
	if err := os.RemoveAll(b.dir(k)); err != nil {
		return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
	}
	_ = os.Remove(filepath.Dir(b.dir(k))) // it stays while it has other attempts
	return nil
}

// Log implements train.Backend.
func (b *Backend) Log(_ context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(b.dir(key{run, attempt}), logFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, train.ErrNoJob)
	}
	if err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log of job %s/%d: %w", run, attempt, err), f.Close())
	}
	// A job that keeps writing must not keep its reader.
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, max(0, info.Size()-offset)), f}, nil
}

// Close stops every job and the warm parent. The jobs have no result afterwards, as if this process had been killed.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	var wg sync.WaitGroup
	results := make(chan error, len(b.live))
	for _, p := range b.live {
		p.abandon()
		wg.Go(func() { results <- p.stop(context.Background(), b.cfg.Grace) })
	}
	wg.Wait()
	close(results)
	for err := range results {
		errs = append(errs, err)
	}
	clear(b.live)
	b.parent.close()
	return errors.Join(errs...)
}

func (b *Backend) dir(k key) string {
	return filepath.Join(b.cfg.Dir, k.run.String(), strconv.Itoa(k.attempt))
}
