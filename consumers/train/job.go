package train

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// StepDir is the name under which the figures of an attempt's steps stand, one object a step.
const StepDir = registry.StepDir

// Steps are the steps of a job, in order.
func Steps() []string {
	return []string{"fetch", "preprocess", "train", "serialize", "score", "publish"}
}

const (
	documentVersion = 1
	workflowDir     = "workflow"
	defaultSeed     = 1
)

// document is job.json, which the runner reads.
type document struct {
	Version     int                `json:"version"`
	RunID       registry.RunID     `json:"run_id"`
	Attempt     int                `json:"attempt"`
	Model       registry.ModelName `json:"model"`
	Request     json.RawMessage    `json:"request"`
	Workflow    workflow           `json:"workflow"`
	WorkflowDir string             `json:"workflow_dir"`
	Inputs      []input            `json:"inputs"`
	API         string             `json:"api"`
	Token       string             `json:"token"`
	Traceparent string             `json:"traceparent"`
	Seed        int64              `json:"seed"`
	CacheDir    string             `json:"cache_dir"`
	Workers     int                `json:"workers"`
}

type workflow struct {
	Entrypoint string     `json:"entrypoint"`
	Digest     cas.Digest `json:"digest"`
}

// input is one source of rows.
type input struct {
	Digest  cas.Digest        `json:"digest"` // zero for a path
	Rows    int64             `json:"rows"`
	Columns []manifest.Column `json:"columns"`
	Label   string            `json:"label"`
	Parts   []part            `json:"parts"`
}

type part struct {
	Digest cas.Digest    `json:"digest"` // zero where the store does not know it
	Bytes  int64         `json:"bytes"`
	Rows   int64         `json:"rows"`
	Get    bucket.Signed `json:"get"`
}

// request is what the machine needs of a training request.
type request struct {
	Data struct {
		Features []struct {
			Dataset string `json:"dataset"`
			Path    string `json:"path"`
		} `json:"features"`
	} `json:"data"`
	Train struct {
		CustomParams map[string]json.RawMessage `json:"custom_params"`
	} `json:"train"`
	ComputeResource json.RawMessage `json:"compute_resource"`
	Project         string          `json:"project"`
	Owner           string          `json:"owner"`
	Priority        int             `json:"priority"`
}

// class is the compute class that a request asks for, "" for none. The talk has both forms: "GPU", and an object with it.
func (q request) class() string {
	var name string
	if err := json.Unmarshal(q.ComputeResource, &name); err == nil {
		return name
	}
	return q.resource().ComputeResource
}

// resource is the object form of compute_resource.
type resource struct {
	ComputeResource string `json:"compute_resource"`
	Workers         int    `json:"workers"`
}

func (q request) resource() resource {
	var o resource
	if err := json.Unmarshal(q.ComputeResource, &o); err != nil {
		return resource{} // absent: what is malformed was refused when the run was asked for
	}
	return o
}

// Workers is how many processes a training request wants to be executed by, at least 1.
func Workers(body json.RawMessage) int {
	q, err := readRequest(body)
	if err != nil {
		return 1
	}
	return q.workers()
}

func (q request) workers() int { return max(1, q.resource().Workers) }

// fits refuses more workers than the class's backend runs.
func fits(c Class, workers int) error {
	limit := 1
	if b, ok := c.Backend.(Spreader); ok {
		limit = b.MaxWorkers()
	}
	if workers > limit {
		return &manifest.Fault{Path: "/compute_resource/workers", Problem: fmt.Sprintf("%d: compute class %s runs at most %d", workers, c.Name, limit)}
	}
	return nil
}

// build makes the job of a run's current attempt. ErrNotFound and ErrInvalid mean that no job can be made of it.
func (m *Machine) build(ctx context.Context, a attemptOf) (Job, error) {
	run := a.run
	q, err := readRequest(run.Request)
	if err != nil {
		return Job{}, err
	}
	if err := fits(a.class, q.workers()); err != nil {
		return Job{}, err
	}
	code, err := m.cfg.Inputs.Workflow(ctx, run.Workflow)
	if err != nil {
		return Job{}, fmt.Errorf("workflow %s: %w", run.Workflow, err)
	}
	doc := document{
		Version: documentVersion, RunID: run.ID, Attempt: run.Attempt, Model: run.Model, Request: run.Request,
		Workflow: workflow{Entrypoint: code.Entrypoint, Digest: run.Workflow}, WorkflowDir: workflowDir,
		API: m.cfg.API, Traceparent: traceparent(ctx, run), Seed: q.seed(), CacheDir: "cache",
		Workers: q.workers(),
	}
	if doc.Inputs, err = m.inputs(ctx, run, q); err != nil {
		return Job{}, err
	}
	if doc.Token, err = m.cfg.Tokens.Mint(run.ID, run.Attempt); err != nil {
		return Job{}, fmt.Errorf("mint token: %w", err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return Job{}, fmt.Errorf("job document: %w", err)
	}
	j := Job{
		Run: run.ID, Attempt: run.Attempt, Spec: b, Files: map[string]string{},
		ComputeClass: a.class.Name, Workers: q.workers(), Deadline: cmp.Or(a.class.Deadline, m.cfg.Deadline),
		Model: string(run.Model), Project: q.Project, Owner: q.Owner,
	}
	for name, f := range code.Files {
		j.Files[workflowDir+"/"+name] = f.Content
	}
	return j, nil
}

func readRequest(b json.RawMessage) (request, error) {
	var q request
	if err := json.Unmarshal(b, &q); err != nil {
		return request{}, &manifest.Fault{Path: "/request", Problem: "not a training request: " + err.Error()}
	}
	return q, nil
}

// seed is custom_params.seed where that is an integer. A run without one must not differ from its repeat either.
func (q request) seed() int64 {
	var n int64
	if err := json.Unmarshal(q.Train.CustomParams["seed"], &n); err != nil || n < 0 {
		return defaultSeed
	}
	return n
}
