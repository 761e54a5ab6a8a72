package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend"
	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/trainer"
)

// rayGPU is the device of a class that Ray counts as a GPU; others are resources of the cluster by name.
const rayGPU = "gpu"

// ray is the backend of classes on a running Ray cluster. Jobs bring the package signalbox along; what else they import
// is there already.
func ray(a *app) (*raybackend.Backend, error) {
	t := a.cfg.Training
	files, err := trainer.Install(filepath.Join(a.cfg.Data, "trainer"))
	if err != nil {
		return nil, err
	}
	cfg := raybackend.Config{
		URL: t.Ray.URL, Token: t.Ray.Token, ClosedNetwork: t.Ray.ClosedNetwork, Instance: t.Ray.Instance, Python: t.Ray.Python,
		Source: os.DirFS(files.PythonPath()), Classes: map[string]raybackend.Class{}, Log: a.log,
	}
	var errs []error
	for name, c := range t.Classes {
		if c.Backend != config.BackendRay {
			continue
		}
		class, err := rayClass(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("training.classes.%s: %w", name, err))
		}
		cfg.Classes[name] = class
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return raybackend.New(cfg)
}

func rayClass(c config.Class) (raybackend.Class, error) {
	out := raybackend.Class{Env: c.Env, Resources: map[string]float64{}}
	var errs [2]error
	out.CPUs, errs[0] = kubebackend.Amount(cmp.Or(c.CPU, "1"))
	out.Memory, errs[1] = kubebackend.Bytes(cmp.Or(c.Memory, "0"))
	err := errors.Join(errs[:]...)
	for _, name := range slices.Sorted(maps.Keys(c.Devices)) {
		n, amountErr := kubebackend.Amount(c.Devices[name])
		err = errors.Join(err, amountErr)
		if name == rayGPU {
			out.GPUs = n
		} else {
			out.Resources[name] = n
		}
	}
	if c.Image != "" || c.Queue != "" || c.PriorityClass != "" || c.RuntimeClass != "" || c.Scratch != "" ||
		len(c.NodeSelector)+len(c.Tolerations)+len(c.Affinity) > 0 {
		err = errors.Join(err, errors.New("Ray has no image, queue, priority class, runtime class, scratch, node selector, tolerations or affinity of a job"))
	}
	return out, err
}
