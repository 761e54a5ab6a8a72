package raybackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Statuses of a job of Ray.
const (
	statusPending   = "PENDING"
	statusRunning   = "RUNNING"
	statusStopped   = "STOPPED"
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
)

// submission is the body of POST /api/jobs/.
type submission struct {
	ID         string             `json:"submission_id"`
	Entrypoint string             `json:"entrypoint"`
	RuntimeEnv runtimeEnv         `json:"runtime_env"`
	Metadata   map[string]string  `json:"metadata"`
	CPUs       float64            `json:"entrypoint_num_cpus,omitempty"`
	GPUs       float64            `json:"entrypoint_num_gpus,omitempty"`
	Memory     int64              `json:"entrypoint_memory,omitempty"`
	Resources  map[string]float64 `json:"entrypoint_resources,omitempty"`
}

type runtimeEnv struct {
	WorkingDir string            `json:"working_dir"`
	PyModules  []string          `json:"py_modules,omitempty"`
	EnvVars    map[string]string `json:"env_vars"`
}

// details is what Ray knows of a job.
type details struct {
	ID         string            `json:"submission_id"`
	Status     string            `json:"status"`
	Entrypoint string            `json:"entrypoint"`
	Message    string            `json:"message"`
	ErrorType  string            `json:"error_type"`
	Start      int64             `json:"start_time"` // of the submission, in ms since 1970
	End        int64             `json:"end_time"`   // in ms since 1970; 0 while it has not ended
	Metadata   map[string]string `json:"metadata"`
	Node       string            `json:"driver_node_id"` // "" if it never ran
	ExitCode   *int              `json:"driver_exit_code"`
}

func (d details) ended() bool {
	return d.Status == statusStopped || d.Status == statusSucceeded || d.Status == statusFailed
}

// age is how long ago the job was submitted, or how long it took once it has ended.
func (d details) age(now time.Time) time.Duration {
	end := now.UnixMilli()
	if d.ended() {
		end = d.End
	}
	return time.Duration(end-d.Start) * time.Millisecond
}

// ghost reports a record that Ray writes for a job that was deleted while its monitor still looked at it.
func (d details) ghost() bool { return len(d.Metadata) == 0 && d.Entrypoint == "Entrypoint not found." }

// job asks for a job: train.ErrNoJob only if Ray itself says that there is none. Any server on the way may answer 404.
func (c *client) job(ctx context.Context, id string) (details, time.Time, error) {
	var d details
	now, err := c.call(ctx, http.MethodGet, "api/jobs/"+id, nil, &d, maxJob)
	if err == nil && (d.Status == "" || d.ID != id) {
		err = fmt.Errorf("ray: job %s: not an answer of the jobs API", id)
	}
	return d, now, unknown(err, id)
}

// jobs asks for all jobs of the cluster.
func (c *client) jobs(ctx context.Context) ([]details, error) {
	var all []details
	_, err := c.call(ctx, http.MethodGet, "api/jobs/", nil, &all, maxJobs)
	return all, err
}

func (c *client) submit(ctx context.Context, s submission) error {
	_, err := c.call(ctx, http.MethodPost, "api/jobs/", s, nil, maxJob)
	return err
}

// stop tells a job to end: SIGTERM, and SIGKILL later. One that waits for resources hears of it when it has them.
func (c *client) stop(ctx context.Context, id string) error {
	_, err := c.call(ctx, http.MethodPost, "api/jobs/"+id+"/stop", nil, nil, maxJob)
	return unknown(err, id)
}

// remove makes Ray forget a job that has ended.
func (c *client) remove(ctx context.Context, id string) error {
	_, err := c.call(ctx, http.MethodDelete, "api/jobs/"+id, nil, nil, maxJob)
	return unknown(err, id)
}

// upload puts a package unless it is there. Asking for it also keeps Ray from collecting it until the job holds it.
func (c *client) upload(ctx context.Context, p pack) error {
	path := "api/packages/gcs/" + p.name
	_, err := c.call(ctx, http.MethodGet, path, nil, nil, maxJob)
	if statusOf(err) != http.StatusNotFound {
		return err
	}
	_, err = c.call(ctx, http.MethodPut, path, p.content, nil, maxJob)
	return err
}

func unknown(err error, id string) error {
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound &&
		strings.Contains(r.words, "Job "+id+" does not exist") {
		return train.ErrNoJob
	}
	return err
}
