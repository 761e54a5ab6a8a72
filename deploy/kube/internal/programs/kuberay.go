package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// What the set of FindKubeRay has.
const (
	RayOperator = "ray-operator" // the program
	RayCRDs     = "ray-crds"     // a folder for kubectl apply -k: the kinds that it serves
)

const rayModule = "github.com/ray-project/kuberay/ray-operator"

// FindKubeRay returns the KubeRay operator and its kinds, building it if nobody did: 170 CPU-seconds with an empty build
// cache. It is the version that programs/kuberay/go.mod names. Otherwise it does what Find does.
func FindKubeRay(ctx context.Context, source string, progress io.Writer) (Set, error) {
	return find(ctx, source, progress, recipe{
		name: "kuberay", folder: "kuberay", files: []string{"kuberay/go.mod", "kuberay/go.sum"}, last: RayOperator, build: buildKubeRay,
	})
}

func buildKubeRay(ctx context.Context, s Set, source string, progress io.Writer) error {
	dir := filepath.Join(source, "kuberay")
	if err := s.compile(ctx, dir, rayModule, RayOperator, "-s -w", progress); err != nil {
		return err
	}
	module, err := output(ctx, dir, "go", "list", "-m", "-f", "{{.Dir}}", rayModule)
	if err != nil {
		return err
	}
	if module == "" {
		return errors.New(rayModule + " is not in the module cache")
	}
	if err := errors.Join(os.RemoveAll(s.Path(RayCRDs)), copyKinds(filepath.Join(module, "config", "crd"), s.Path(RayCRDs))); err != nil {
		return fmt.Errorf("kinds: %w", err)
	}
	return os.Rename(s.Path(RayOperator+".new"), s.Path(RayOperator))
}

// copyKinds copies the definitions, so that the set stands when the module cache is cleaned. Not os.CopyFS: that keeps the
// modes of the module cache, and folders that cannot be written cannot be removed.
func copyKinds(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "bases", "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no definitions", from)
	}
	for _, file := range append(files, filepath.Join(from, "kustomization.yaml")) {
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, rel), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
