package pyworker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// process is one worker process with its model. One goroutine uses it; dead may be watched by any.
type process struct {
	conn net.Conn
	pid  int
	// dead is closed once the process was reaped and its output read to the end.
	dead     chan struct{}
	next     uint64
	out, in  []byte // frames, reused
	deadline time.Duration
}

// start runs a worker and has it load the package in dir.
func start(ctx context.Context, cfg Config, dir string, sig manifest.Signature, log *slog.Logger) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	begin := time.Now()
	p := &process{conn: ours, dead: make(chan struct{}), deadline: cfg.Deadline}
	if err := p.exec(cfg, theirs, log); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	if err := p.load(ctx, cfg.LoadDeadline, dir, sig); err != nil {
		p.kill()
		return nil, err
	}
	log.Info("worker ready", "pid", p.pid, "took", time.Since(begin))
	return p, nil
}

// exec starts the process with theirs as descriptor 3.
func (p *process) exec(cfg Config, theirs *os.File, log *slog.Logger) error {
	const fd = 3
	cmd := exec.Command(cfg.Python, append(slices.Clone(cfg.Args), strconv.Itoa(fd))...)
	cmd.Env = append(scrubbed(), cfg.Env...)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = isolate()
	out := &lineLog{log: log}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // for the output of children that outlive it
	started := make(chan error)
	go func() {
		defer close(p.dead)
		// The worker's parent is this thread, whose end would be its death.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			started <- fmt.Errorf("start worker: %w", err)
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		err = cmd.Wait()
		out.flush()
		log.Debug("worker ended", "pid", p.pid, "reason", err)
	}()
	return <-started
}

// load has the worker load the package, and checks that it speaks of the same outputs.
func (p *process) load(ctx context.Context, bound time.Duration, dir string, sig manifest.Signature) error {
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	body, err := json.Marshal(struct {
		Dir string `json:"dir"`
	}{dir})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	p.out = append(beginFrame(p.out[:0], 0, kindLoad), body...)
	kind, payload, err := p.exchange(0, bound)
	if err != nil {
		return fmt.Errorf("load package: %w", errors.Join(err, ctx.Err()))
	}
	if kind == kindError {
		return fmt.Errorf("load package: %w", decodeError(payload))
	}
	var loaded struct {
		OK      bool
		Outputs []string
	}
	if err := json.Unmarshal(payload, &loaded); kind != kindLoaded || err != nil || !loaded.OK {
		return fmt.Errorf("load package: answer of kind %d: %w", kind, errProtocol)
	}
	want := make([]string, len(sig.Outputs))
	for i, c := range sig.Outputs {
		want[i] = c.Name
	}
	if !slices.Equal(loaded.Outputs, want) {
		return fmt.Errorf("load package: it answers %q, its signature says %q: %w", loaded.Outputs, want, errProtocol)
	}
	return nil
}

// predict has the worker answer calls, all in one frame. The error is a *ModelError where the worker is well.
func (p *process) predict(calls []*call, width, outputs int) ([]float64, error) {
	p.next++
	rows := 0
	for _, c := range calls {
		rows += c.rows
	}
	frame, err := appendPredict(beginFrame(p.out[:0], p.next, kindPredict), calls, width)
	if err != nil {
		return nil, err
	}
	p.out = frame
	kind, payload, err := p.exchange(p.next, p.deadline)
	switch {
	case err != nil:
		return nil, err
	case kind == kindError:
		return nil, decodeError(payload)
	case kind != kindResult:
		return nil, fmt.Errorf("answer of kind %d: %w", kind, errProtocol)
	}
	return decodeResult(payload, rows, outputs)
}

// exchange sends p.out and reads the answer.
func (p *process) exchange(id uint64, bound time.Duration) (kind byte, payload []byte, err error) {
	if err := endFrame(p.out); err != nil {
		return 0, nil, err
	}
	if err := p.conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return 0, nil, err
	}
	if _, err := p.conn.Write(p.out); err != nil {
		return 0, nil, err
	}
	kind, p.in, err = readFrame(p.conn, id, p.in)
	return kind, p.in, err
}

// kill ends the process group at once and waits for it.
func (p *process) kill() {
	select {
	case <-p.dead:
	default:
		// It may end just now, but its number is taken again only much later.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.dead
	}
	_ = p.conn.Close()
}

// close asks the process to end, and kills it if it does not within bound.
func (p *process) close(bound time.Duration) {
	p.out = beginFrame(p.out[:0], p.next+1, kindClose)
	_ = p.conn.SetDeadline(time.Now().Add(bound))
	_, _ = p.conn.Write(p.out)
	t := time.NewTimer(bound)
	defer t.Stop()
	select {
	case <-p.dead:
	case <-t.C:
	}
	p.kill()
}

// socketPair returns our end as a connection with deadlines and theirs as a file to inherit.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "worker")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", errors.Join(err, theirs.Close()))
	}
	return conn, theirs, nil
}

// scrubbed is the environment of a worker.
func scrubbed() []string {
	env := []string{
		"PYTHONHASHSEED=0", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1",
		"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", // processes are the parallelism
	}
	for _, name := range []string{"PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
