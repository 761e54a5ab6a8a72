package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/procbackend"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// minter makes the tokens of jobs: good for one attempt, until some time after its deadline.
type minter struct {
	auth *auth.Authenticator
	ttl  time.Duration
}

// Mint implements train.TokenMinter.
func (m minter) Mint(run registry.RunID, attempt int) (string, error) {
	return m.auth.MintRun(run.String(), attempt, m.ttl)
}

// addTrain: the machine is one for the whole database, wherever it runs; another process takes over when this one ends.
// Local jobs end with their process, those of a cluster go on.
func (a *app) addTrain(context.Context) error {
	t := a.cfg.Training
	var looks atomic.Pointer[train.Machine]
	backends, err := a.trainBackends(func() {
		if m := looks.Load(); m != nil {
			m.Look()
		}
	})
	if err != nil {
		return err
	}
	classes, longest, err := classesOf(t, backends)
	if err != nil {
		return err
	}
	projects := map[string]train.Project{}
	for name, p := range t.Projects {
		projects[name] = train.Project(p)
	}
	cfg := train.Config{
		Runs: a.registry, Inputs: a.registry, Classes: classes, Bucket: a.bucket, Signer: a.bucket,
		Projects: projects, EachProject: train.Project(t.EachProject), Aging: t.Aging,
		Tokens: minter{a.auth, longest + time.Hour}, API: a.cfg.URL, BucketName: a.cfg.S3.Bucket,
		MaxParallel: t.MaxParallel, MaxAttempts: t.MaxAttempts, Deadline: t.Deadline,
		Tracer: otel.Tracer("github.com/signalbox-ml/signalbox/consumers/train"), Log: a.log,
	}
	if a.embedded {
		cfg.Poll = 200 * time.Millisecond
	}
	m, err := train.New(cfg)
	if err != nil {
		return err
	}
	looks.Store(m)
	a.group.Add("train", a.locked("train", m.Run))
	return a.consumer("train", m, events.TopicRuns)
}

// trainBackends makes the backends that some class uses, by name.
func (a *app) trainBackends(changed func()) (map[string]train.Backend, error) {
	t, out := a.cfg.Training, map[string]train.Backend{}
	if t.Uses(config.BackendLocal) {
		cfg := procbackend.Config{
			Dir: filepath.Join(a.cfg.Data, "jobs"), Command: []string{a.python.python, "-m", "signalbox.runner"},
			PythonPath: a.python.path, Log: a.log,
		}
		if !t.Cold {
			cfg.Warm = []string{a.python.python, "-m", "signalbox.forkserver", "signalbox.runner"}
		}
		b, err := procbackend.New(cfg)
		if err != nil {
			return nil, err
		}
		a.closing("job processes", func(context.Context) error { return b.Close() })
		out[config.BackendLocal] = b
	}
	if t.Uses(config.BackendKubernetes) {
		b, err := kubernetes(t, config.BackendKubernetes, a, changed)
		if err != nil {
			return nil, err
		}
		a.group.Add("kubernetes watch", b.Run)
		out[config.BackendKubernetes] = b
	}
	if t.Uses(config.BackendRay) {
		b, err := ray(a)
		if err != nil {
			return nil, err
		}
		a.closing("ray connections", func(context.Context) error { b.Close(); return nil })
		out[config.BackendRay] = b
	}
	if t.Uses(config.BackendKubeRay) {
		b, err := kubeRay(t, a)
		if err != nil {
			return nil, err
		}
		out[config.BackendKubeRay] = b
	}
	return out, nil
}

// kubernetes makes pods for the classes of a backend: those of KubeRay have pods like those of Kubernetes.
func kubernetes(t config.Training, backend string, a *app, changed func()) (*kubebackend.Backend, error) {
	client, err := kubebackend.Connect(t.Kubernetes.Kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg := kubebackend.Config{
		Client: client, Namespace: t.Kubernetes.Namespace, Instance: t.Kubernetes.Instance, Image: t.Kubernetes.Image,
		PullPolicy: t.Kubernetes.PullPolicy, NodeLoss: t.Kubernetes.NodeLoss, Grace: t.Kubernetes.Grace,
		Classes: map[string]kubebackend.Class{}, Changed: changed, Log: a.log,
	}
	for name, c := range t.Classes {
		if c.Backend != backend {
			continue
		}
		class := kubebackend.Class{
			Image: c.Image, CPU: c.CPU, Memory: c.Memory, Scratch: c.Scratch, LimitCPU: c.LimitCPU, Devices: c.Devices,
			NodeSelector: c.NodeSelector, Queue: c.Queue, PriorityClass: c.PriorityClass, RuntimeClass: c.RuntimeClass, Env: c.Env,
		}
		if len(c.Tolerations) > 0 {
			class.Tolerations, err = json.Marshal(c.Tolerations)
		}
		if len(c.Affinity) > 0 && err == nil {
			class.Affinity, err = json.Marshal(c.Affinity)
		}
		if err != nil {
			return nil, fmt.Errorf("training.classes.%s: %w", name, err)
		}
		cfg.Classes[name] = class
	}
	return kubebackend.New(cfg)
}

// classesOf pairs the classes of the configuration with their backends. longest is the greatest deadline of all.
func classesOf(t config.Training, backends map[string]train.Backend) (out []train.Class, longest time.Duration, err error) {
	longest = t.Deadline
	var errs []error
	for _, name := range t.ClassNames() {
		c := t.Classes[name]
		class := train.Class{
			Name: name, Backend: backends[cmp.Or(c.Backend, config.BackendLocal)], Kind: c.Kind, MaxParallel: c.MaxParallel,
			Queued: c.Queue != "", Deadline: c.Deadline,
		}
		if class.Kind == "" {
			class.Kind = kindOf(c)
		}
		if c.Memory != "" {
			if class.Memory, err = kubebackend.Bytes(c.Memory); err != nil {
				errs = append(errs, fmt.Errorf("training.classes.%s: %w", name, err))
			}
		}
		longest = max(longest, c.Deadline)
		out = append(out, class)
	}
	return out, longest, errors.Join(errs...)
}

// kindOf keeps classes apart that differ in more than their size: a job without its GPU has not more memory.
func kindOf(c config.Class) string {
	kind := cmp.Or(c.Backend, config.BackendLocal)
	for _, device := range slices.Sorted(maps.Keys(c.Devices)) {
		kind += " " + device + "=" + c.Devices[device]
	}
	return kind
}
