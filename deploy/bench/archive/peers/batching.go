package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// batching is an archiver that puts a file and then commits the offsets of its rows: each object in the bucket counts.
type batching struct {
	label   about
	prepare func(ctx context.Context, dir string) (program string, args []string, err error)

	program string
	args    []string
}

func (a *batching) about() about { return a.label }

func (a *batching) install(ctx context.Context, dir string) (err error) {
	a.program, a.args, err = a.prepare(ctx, dir)
	return err
}

func (a *batching) start(_ context.Context, r *run) (process, error) {
	cmd := exec.Command(a.program, a.args...)
	cmd.Env = r.environment()
	return launch(cmd, r.log())
}

func (a *batching) group(r *run) string { return r.name }

func (a *batching) rows(ctx context.Context, r *run) (int64, error) {
	keys, err := a.files(ctx, r)
	if err != nil {
		return 0, err
	}
	return r.rows(ctx, keys)
}

func (a *batching) files(ctx context.Context, r *run) ([]string, error) {
	return r.keys(ctx, parquetFile)
}

// benthos is Benthos of April 2024, from before it became Redpanda Connect: the last that can be built from a registry.
func benthos() *batching {
	const module = "deploy/bench/archive/peers/benthos"
	return &batching{
		label: about{
			name: "benthos", title: "Benthos 4.27.0", guarantee: "at least once", data: parquetFile,
			kills: [2]aim{{"a file", parquetFile, 3}, {"a file", parquetFile, 2}},
		},
		prepare: func(ctx context.Context, dir string) (string, []string, error) {
			config, err := written("benthos.yaml", dir)
			if err != nil {
				return "", nil, err
			}
			source, err := state(os.DirFS(module), ".")
			if err != nil {
				return "", nil, fmt.Errorf("source of benthos (run this in the source tree): %w", err)
			}
			home, err := cached(ctx, "archive-benthos", source, func(dir string) error {
				// Its parquet-go reaches into the runtime, which the linker has refused since Go 1.23.
				return command(ctx, "go", "build", "-C", module, "-trimpath", "-ldflags=-s -w -checklinkname=0", "-o", filepath.Join(dir, "benthos"), ".")
			})
			return filepath.Join(home, "benthos"), []string{"-c", config}, err
		},
	}
}

// python is what people write themselves, with the usual libraries.
func python() *batching {
	return &batching{
		label: about{
			name: "python", title: "confluent-kafka 2.16.1 and pyarrow 26.0.1 by hand", guarantee: "at least once", data: parquetFile,
			kills: [2]aim{{"a file", parquetFile, 3}, {"a file", parquetFile, 2}},
		},
		prepare: func(ctx context.Context, dir string) (string, []string, error) {
			script, err1 := written("python/archiver.py", dir)
			pins, err2 := written("python/requirements.txt", dir)
			source, err3 := files.ReadFile("python/requirements.txt")
			if err := errors.Join(err1, err2, err3); err != nil {
				return "", nil, err
			}
			home, err := cached(ctx, "archive-python", source, func(dir string) error {
				interpreter := cmp.Or(os.Getenv("PYTHON"), "python3")
				if err := command(ctx, interpreter, "-m", "venv", dir); err != nil {
					return err
				}
				return command(ctx, filepath.Join(dir, "bin", "python"), "-m", "pip", "-q", "install", "--no-deps", "-r", pins)
			})
			return filepath.Join(home, "bin", "python"), []string{script}, err
		},
	}
}
