package programs

import (
	"context"
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

// FindKubeRay returns the KubeRay operator and its kinds, building it if nobody did: 180 CPU-seconds with an empty build
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
	module, err := moduleDir(ctx, dir, rayModule)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.Path(RayCRDs)); err != nil {
		return fmt.Errorf("kinds: %w", err)
	}
	if err := copyFiles(filepath.Join(module, "config", "crd"), s.Path(RayCRDs), "kustomization.yaml", "bases/*.yaml"); err != nil {
		return fmt.Errorf("kinds: %w", err)
	}
	return os.Rename(s.Path(RayOperator+".new"), s.Path(RayOperator))
}
