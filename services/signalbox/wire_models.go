package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/consumers/evaluate"
	"github.com/signalbox-ml/signalbox/consumers/tagwatch"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/pyworker"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
)

// scorer lets package evaluate judge packages with the engines that serve them.
type scorer struct{ loader *inference.Loader }

// Score implements evaluate.Scorer.
func (s scorer) Score(ctx context.Context, pkg cas.Digest, rows [][]byte, output string) ([]float64, float64, error) {
	scores, tolerance, err := s.loader.Score(ctx, pkg, rows, output)
	if errors.Is(err, inference.ErrRefused) {
		err = fmt.Errorf("%w: %w", evaluate.ErrUnscorable, err)
	}
	return scores, tolerance, err
}

func (a *app) addEvaluate(context.Context) error {
	cfg, err := a.loading("evaluate")
	if err != nil {
		return err
	}
	loader, err := inference.NewLoader(cfg)
	if err != nil {
		return err
	}
	a.closing("evaluation models", func(context.Context) error { return loader.Close() })
	v, err := evaluate.New(evaluate.Config{
		Catalog: a.catalog, Registry: a.registry, Bucket: a.bucket, Scorer: scorer{loader}, Log: a.log,
	})
	if err != nil {
		return err
	}
	return a.consumer("evaluate", v, events.TopicPackages)
}

// loading says how packages get from the registry into memory. Without an interpreter only native engines run.
func (a *app) loading(user string) (inference.LoaderConfig, error) {
	engines := map[string]runtime.Runtime{manifest.RuntimeTrees: trees.Runtime{}}
	if a.python.python != "" {
		workers, err := pyworker.New(pyworker.Config{
			Python: a.python.python, Env: []string{"PYTHONPATH=" + a.python.path}, Log: a.log,
		})
		if err != nil {
			return inference.LoaderConfig{}, err
		}
		engines[manifest.RuntimePython] = workers
	}
	return inference.LoaderConfig{
		Dir: filepath.Join(a.cfg.Data, "cache", user), Source: a.remote, Runtimes: engines, Log: a.log,
	}, nil
}

// addPredict: requests stop first, then the models; what serves needs neither database nor object store.
func (a *app) addPredict(context.Context) error {
	l, err := a.listener(true, a.cfg.PredictListen)
	if err != nil {
		return err
	}
	a.predictURL = "http://" + l.Addr().String()
	follower, err := kafka.NewFollower(a.kafka)
	if err != nil {
		return err
	}
	tags, err := tagwatch.New(tagwatch.Config{Follower: follower, Tags: a.remote, Log: a.log})
	if err != nil {
		return err
	}
	a.group.Add("tag watch", tags.Run)
	cfg, err := a.loading("predict")
	if err != nil {
		return err
	}
	server, err := inference.New(inference.Config{LoaderConfig: cfg, Tags: tags, Recorder: a.producer})
	if err != nil {
		return err
	}
	a.group.Add("models", server.Run)
	a.ready = append(a.ready, check{"a model", func(context.Context) error {
		if !server.Ready() {
			return errors.New("not every tag is served yet")
		}
		return nil
	}})
	rt, err := a.router()
	if err != nil {
		return err
	}
	server.Routes(rt)
	a.serve("data plane", l, rt)
	return nil
}
