package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/trainer"
)

// python is the interpreter of jobs and of Python models, and where it finds the package signalbox.
type python struct {
	python string
	path   string
	files  trainer.Files
}

// findPython takes the interpreter of the configuration, or makes an environment in the user's cache: under a minute the
// first time, nothing after.
func findPython(ctx context.Context, cfg config.Config, log *slog.Logger) (python, error) {
	files, err := trainer.Install(filepath.Join(cfg.Data, "trainer"))
	if err != nil {
		return python{}, err
	}
	env := python{python: cfg.Training.Python, path: files.PythonPath(), files: files}
	if env.python == "" {
		log.Info("preparing the Python environment", "note", "a minute the first time")
		if env.python, err = files.Environment(ctx); err != nil {
			return python{}, err
		}
	}
	env.path, err = filepath.Abs(env.path)
	return env, err
}
