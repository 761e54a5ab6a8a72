package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// MaxRequest is the size of the largest training request, in bytes.
const MaxRequest = 1 << 20

// runSpace is the UUID namespace of run ids. It can never change: the ids of a run key's repeats depend on it.
var runSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://signalbox.dev/runs"))

// TrainRequest is what everybody needs of a training request (Railyard's). There may be more members: they go to the
// workflow as they are.
type TrainRequest struct {
	Description     string          `json:"model_description,omitempty"`
	ModelName       string          `json:"model_name"`
	Owner           string          `json:"owner,omitempty"`
	Project         string          `json:"project,omitempty"`
	Trainer         string          `json:"trainer,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
	Train           json.RawMessage `json:"train"`
	ComputeResource string          `json:"compute_resource,omitempty"`
}

// RunRequest asks for a run.
type RunRequest struct {
	// Request is a training request in JSON. Where it names a dataset as "<name>@latest", the run's request has the
	// digest of that moment instead.
	Request json.RawMessage
	// Nonce makes a run of its own: the same nonce gives the same run, whatever the request says by then. "" means that
	// the same content gives the same run.
	Nonce string
	// RetryOf is the run that the new one repeats, zero for none.
	RetryOf RunID
}

// asked is a request that was understood.
type asked struct {
	model    ModelName
	workflow Spec
	dataset  cas.Digest
	request  json.RawMessage
	content  map[string]any // what the result depends on
}

// RequestRun creates the run that q asks for, or returns the one that is there already (then created is false).
func (r *Registry) RequestRun(ctx context.Context, q RunRequest) (run Run, created bool, err error) {
	if q.Nonce != "" {
		run, err := r.catalog.Run(ctx, nonceID(q.Nonce))
		if err == nil || !errors.Is(err, ErrNotFound) {
			return run, false, err
		}
	}
	a, err := r.understand(ctx, q.Request)
	if err != nil {
		return Run{}, false, fmt.Errorf("request run: %w", err)
	}
	key, err := a.key(q.Nonce)
	if err != nil {
		return Run{}, false, fmt.Errorf("request run: %w", err)
	}
	id := RunID(uuid.NewSHA1(runSpace, key[:]))
	if q.Nonce != "" {
		id = nonceID(q.Nonce)
	} else if run, err := r.catalog.Run(ctx, id); err == nil || !errors.Is(err, ErrNotFound) {
		return run, false, err // most requests of an event are repeats
	}
	// A job needs exactly this code, also after the spec has changed.
	if err := r.keepWorkflow(ctx, a.workflow); err != nil {
		return Run{}, false, fmt.Errorf("request run: %w", err)
	}
	at := now()
	run = Run{
		ID: id, Key: key, Model: a.model, Dataset: a.dataset, Workflow: a.workflow.Digest,
		RetryOf: q.RetryOf, Request: a.request, Cause: events.Traceparent(ctx), State: RunRequested, Created: at, Updated: at,
	}
	ev, err := r.runEvent(ctx, events.TypeRunRequested, run, run.ID.String())
	if err != nil {
		return Run{}, false, fmt.Errorf("request run: %w", err)
	}
	run, created, err = r.catalog.CreateRun(ctx, run, ev)
	if err != nil {
		return Run{}, false, fmt.Errorf("request run: %w", err)
	}
	return run, created, nil
}

func nonceID(nonce string) RunID { return RunID(uuid.NewSHA1(runSpace, []byte("nonce\n"+nonce))) }

// key is the identity of what would be computed. Who asks, and on which hardware, is not part of it.
func (a asked) key(nonce string) (cas.Digest, error) {
	in := map[string]any{"model": a.model, "workflow": a.workflow.Digest, "request": a.content}
	if nonce != "" {
		in["nonce"] = nonce
	}
	b, err := json.Marshal(in)
	if err != nil {
		return cas.Digest{}, err
	}
	if b, err = manifest.Canonical(b); err != nil {
		return cas.Digest{}, err
	}
	return cas.Sum(b), nil
}

// understand checks a request as far as a run depends on it.
func (r *Registry) understand(ctx context.Context, b json.RawMessage) (asked, error) {
	if len(b) > MaxRequest {
		return asked{}, invalid("", "%d bytes: a training request has at most %d", len(b), MaxRequest)
	}
	if _, err := manifest.Canonical(b); err != nil {
		return asked{}, err
	}
	members, err := readMembers(b)
	if err != nil {
		return asked{}, err
	}
	var called string
	if err := json.Unmarshal(members["model_name"], &called); err != nil {
		return asked{}, invalid("/model_name", "not a training request: want a string")
	}
	model, err := ParseModelName(called)
	if err != nil {
		return asked{}, invalid("/model_name", "%v", err)
	}
	train, err := spec.ReadTrain(members["train"])
	if err != nil {
		return asked{}, under("/train", err)
	}
	w, _, err := r.FindWorkflow(ctx, train.WorkflowName)
	if errors.Is(err, ErrNotFound) {
		return asked{}, invalid("/train/workflow_name", "there is no workflow %.100q: apply it first", train.WorkflowName)
	} else if err != nil {
		return asked{}, err
	}
	a := asked{model: model, workflow: w, request: b, content: map[string]any{}}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&a.content); err != nil {
		return asked{}, invalid("", "not a training request: %v", err)
	}
	if err := r.resolveDatasets(ctx, &a); err != nil {
		return asked{}, err
	}
	a.withoutWho()
	return a, nil
}

// withoutWho leaves of the content what the result depends on.
func (a asked) withoutWho() {
	for _, who := range []string{"model_description", "model_name", "owner", "project", "trainer", "compute_resource", "priority"} {
		delete(a.content, who)
	}
}

// resolveDatasets checks every dataset that a request names and replaces names by digests.
func (r *Registry) resolveDatasets(ctx context.Context, a *asked) error {
	data, ok := a.content["data"].(map[string]any)
	if !ok && a.content["data"] != nil {
		return invalid("/data", "want an object")
	}
	features, ok := data["features"].([]any)
	if !ok && data["features"] != nil {
		return invalid("/data/features", "want an array")
	}
	found := map[int]string{}
	for i, f := range features {
		source, _ := f.(map[string]any)
		ref, ok := source["dataset"].(string)
		if !ok {
			continue // a path, which is the training service's to judge
		}
		id, err := r.resolveDataset(ctx, ref)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) || errors.Is(err, cas.ErrBadDigest) {
			return invalid("/data/features/"+strconv.Itoa(i)+"/dataset", "%v", err)
		} else if err != nil {
			return err
		}
		if a.dataset.IsZero() {
			a.dataset = id
		}
		if ref != id.String() {
			source["dataset"], found[i] = id.String(), id.String()
		}
	}
	if len(found) > 0 {
		a.request = replaceDatasets(a.request, found)
	}
	return nil
}

func (r *Registry) resolveDataset(ctx context.Context, ref string) (cas.Digest, error) {
	named, ok := strings.CutSuffix(ref, "@latest")
	if !ok {
		id, err := cas.Parse(ref)
		if err != nil {
			return cas.Digest{}, fmt.Errorf("want a digest or <name>@latest: %w", err)
		}
		_, err = r.catalog.Dataset(ctx, id)
		return id, err
	}
	if err := CheckName(named); err != nil {
		return cas.Digest{}, invalid("", "%v", err)
	}
	newest, err := r.catalog.ListDatasets(ctx, DatasetFilter{Name: named, Limit: 1})
	if err != nil {
		return cas.Digest{}, err
	}
	if len(newest) == 0 {
		return cas.Digest{}, fmt.Errorf("no dataset %s is ready: %w", named, ErrNotFound)
	}
	return newest[0].ID, nil
}

// under moves the paths of faults below a member.
func under(path string, err error) error {
	var errs []error
	for _, f := range manifest.Faults(err) {
		errs = append(errs, &manifest.Fault{Path: path + f.Path, Problem: f.Problem})
	}
	return errors.Join(errs...)
}
