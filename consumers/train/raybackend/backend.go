package raybackend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Metadata of a job.
const (
	metaInstance = "signalbox.dev/instance"
	metaRun      = "signalbox.dev/run"
	metaAttempt  = "signalbox.dev/attempt"
	metaDeadline = "signalbox.dev/deadline"
	metaModel    = "signalbox.dev/model"
	metaProject  = "signalbox.dev/project"
	metaOwner    = "signalbox.dev/owner"
	metaClass    = "signalbox.dev/compute-class"
)

// settle is how long a job stays known after its end: Ray's monitor looks at a job every second, and one that is deleted
// before the last look comes back as a ghost.
const settle = 3 * time.Second

// errForeign reports a job with a name of ours that we did not submit.
var errForeign = errors.New("a job of that name is there already, and it is not ours: remove it, or give this instance another cluster")

// Backend is a train.Backend on a Ray cluster.
type Backend struct {
	cfg    Config
	client *client
	source *pack // nil: the nodes have it
}

var (
	_ train.Backend = (*Backend)(nil)
	_ train.Lister  = (*Backend)(nil)
)

// New returns a Backend. It does not speak to the cluster yet.
func New(cfg Config) (*Backend, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("raybackend config: %w", err)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("raybackend: %w", err)
	}
	b := &Backend{cfg: cfg, client: c}
	if cfg.Source != nil {
		p, err := packSource(cfg.Source)
		if err != nil {
			return nil, fmt.Errorf("raybackend: %w", err)
		}
		b.source = &p
	}
	return b, nil
}

// Close lets go of idle connections. Jobs go on.
func (b *Backend) Close() { b.client.http.CloseIdleConnections() }

// Memory is what jobs of a class reserve, in bytes, and false where there is no such class.
func (b *Backend) Memory(class string) (int64, bool) {
	c, ok := b.cfg.Classes[class]
	return c.Memory, ok
}

// Submit implements train.Backend.
func (b *Backend) Submit(ctx context.Context, j train.Job) error {
	if err := b.submit(ctx, j); err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	return nil
}

func (b *Backend) submit(ctx context.Context, j train.Job) error {
	class, ok := b.cfg.Classes[j.ComputeClass]
	if !ok {
		return &manifest.Fault{Path: "/compute_resource", Problem: fmt.Sprintf("there is no compute class %q on Ray", j.ComputeClass)}
	}
	if _, _, err := b.find(ctx, j.Run, j.Attempt); !errors.Is(err, train.ErrNoJob) {
		return err
	}
	work, err := packJob(j)
	if err != nil {
		return err
	}
	if err := b.upload(ctx, work); err != nil {
		return err
	}
	err = b.client.submit(ctx, b.submission(j, class, work))
	if err == nil {
		b.cfg.Log.InfoContext(ctx, "job submitted", "run_id", j.Run, "attempt", j.Attempt, "job", train.JobName(j.Run, j.Attempt))
		return nil
	}
	// Somebody else may have been faster, or only the answer was lost.
	if _, _, there := b.find(ctx, j.Run, j.Attempt); there == nil {
		return nil
	}
	return err
}

func (b *Backend) upload(ctx context.Context, work pack) error {
	if b.source != nil {
		if err := b.client.upload(ctx, *b.source); err != nil {
			return fmt.Errorf("upload the Python package: %w", err)
		}
	}
	if err := b.client.upload(ctx, work); err != nil {
		return fmt.Errorf("upload the job: %w", err)
	}
	return nil
}

func (b *Backend) submission(j train.Job, class Class, work pack) submission {
	s := submission{
		ID: train.JobName(j.Run, j.Attempt), Entrypoint: b.entrypoint(),
		CPUs: class.CPUs, GPUs: class.GPUs, Memory: class.Memory, Resources: class.Resources,
		RuntimeEnv: runtimeEnv{WorkingDir: work.uri(), EnvVars: class.environment(int(b.cfg.Grace.Seconds()))},
		Metadata:   b.identity(j.Run, j.Attempt),
	}
	if b.source != nil {
		s.RuntimeEnv.PyModules = []string{b.source.uri()}
	}
	if j.Deadline > 0 {
		s.Metadata[metaDeadline] = j.Deadline.String()
	}
	for key, value := range map[string]string{metaModel: j.Model, metaProject: j.Project, metaOwner: j.Owner, metaClass: j.ComputeClass} {
		if value != "" { // for people; nothing here reads them
			s.Metadata[key] = value
		}
	}
	return s
}

// entrypoint is the command of every job. Ray keeps the folder of a job's files until it needs the disk, so what the job
// makes goes to a folder that goes with it. The shell must live to remove it, so it takes SIGTERM and waits.
func (b *Backend) entrypoint() string {
	return fmt.Sprintf(`d=$(mktemp -d %s/signalbox.XXXXXXXX) || exit 1; trap : TERM INT; `+
		`SIGNALBOX_SCRATCH=$d TMPDIR=$d %s -m signalbox.launcher %s; s=$?; rm -rf "$d"; exit $s`, b.cfg.Scratch, b.cfg.Python, jobFile)
}

func (b *Backend) identity(run registry.RunID, attempt int) map[string]string {
	return map[string]string{metaInstance: b.cfg.Instance, metaRun: run.String(), metaAttempt: strconv.Itoa(attempt)}
}

// find returns a job of ours and the time at Ray. A ghost is removed: it would stand in the way of a Submit.
func (b *Backend) find(ctx context.Context, run registry.RunID, attempt int) (details, time.Time, error) {
	d, now, err := b.client.job(ctx, train.JobName(run, attempt))
	if err != nil {
		return d, now, err
	}
	if d.ghost() {
		if err := b.client.remove(ctx, d.ID); err != nil {
			return d, now, err
		}
		return d, now, train.ErrNoJob
	}
	for key, value := range b.identity(run, attempt) {
		if d.Metadata[key] != value {
			return d, now, errForeign
		}
	}
	return d, now, nil
}

// Cancel implements train.Backend. The job's package goes by itself, since nothing uses it any more.
func (b *Backend) Cancel(ctx context.Context, run registry.RunID, attempt int) error {
	d, now, err := b.find(ctx, run, attempt)
	switch {
	case err != nil:
	case !d.ended():
		if err = b.client.stop(ctx, d.ID); err == nil {
			err = train.ErrEnding
		}
	case now.Sub(time.UnixMilli(d.End)) < settle:
		err = train.ErrEnding
	default:
		err = b.client.remove(ctx, d.ID)
	}
	if err == nil || errors.Is(err, train.ErrNoJob) || errors.Is(err, errForeign) { // nothing of ours is there
		return nil
	}
	return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
}

// Jobs implements train.Lister.
func (b *Backend) Jobs(ctx context.Context) ([]train.Attempt, error) {
	all, err := b.client.jobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	var out []train.Attempt
	for _, d := range all {
		run, err := registry.ParseRunID(d.Metadata[metaRun])
		n, numErr := strconv.Atoi(d.Metadata[metaAttempt])
		if err != nil || numErr != nil || d.Metadata[metaInstance] != b.cfg.Instance || d.ID != train.JobName(run, n) {
			continue // somebody else's
		}
		out = append(out, train.Attempt{Run: run, N: n})
	}
	return out, nil
}
