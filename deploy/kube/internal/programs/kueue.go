package programs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// What the set of FindKueue has.
const (
	KueueManager = "kueue-manager" // the program
	KueueObjects = "kueue-objects" // a folder for kubectl kustomize: its kinds, webhooks and what they need
)

const kueueModule = "sigs.k8s.io/kueue"

// FindKueue returns Kueue's controller manager and its objects, building it if nobody did: 340 CPU-seconds with an empty
// build cache. It is the version that programs/kueue/go.mod names. Otherwise it does what Find does.
func FindKueue(ctx context.Context, source string, progress io.Writer) (Set, error) {
	return find(ctx, source, progress, recipe{
		name: "kueue", folder: "kueue", last: KueueManager, build: buildKueue,
		files: []string{"kueue/go.mod", "kueue/go.sum", "kueue/kustomization.yaml", "kueue/namespace.yaml"},
	})
}

func buildKueue(ctx context.Context, s Set, source string, progress io.Writer) error {
	dir := filepath.Join(source, "kueue")
	if err := s.compile(ctx, dir, kueueModule+"/cmd/kueue", KueueManager, "-s -w", progress); err != nil {
		return err
	}
	module, err := moduleDir(ctx, dir, kueueModule)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.Path(KueueObjects)); err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	if err := copyFiles(dir, s.Path(KueueObjects), "kustomization.yaml", "namespace.yaml"); err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	from := filepath.Join(module, "config", "components")
	if err := copyFiles(from, s.Path(KueueObjects), "crd/*.yaml", "crd/bases/*.yaml", "crd/patches/*.yaml", "internalcert/*.yaml", "webhook/*.yaml"); err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	return os.Rename(s.Path(KueueManager+".new"), s.Path(KueueManager))
}
