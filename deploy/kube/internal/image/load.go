package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Load imports an archive of Build into the containerd that listens on socket, for Kubernetes: under its name and under
// its digest, which is how a pod names it when the image must not be another.
func Load(ctx context.Context, socket, archive string) (Image, error) {
	img, err := inspect(archive)
	if err != nil {
		return Image{}, fmt.Errorf("load image %s: %w", archive, err)
	}
	if err := ctr(ctx, socket, "images", "import", archive); err != nil {
		return Image{}, fmt.Errorf("load image %s: %w", archive, err)
	}
	if err := ctr(ctx, socket, "images", "tag", "--force", img.Name, img.Reference); err != nil {
		return Image{}, fmt.Errorf("load image %s: %w", archive, err)
	}
	return img, nil
}

// inspect reads the index of an archive.
func inspect(archive string) (Image, error) {
	f, err := os.Open(archive)
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Image{}, err
	}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return Image{}, errors.New("no index.json in it: it was not made by kube image build")
		}
		if err != nil {
			return Image{}, err
		}
		if h.Name != "index.json" {
			continue
		}
		var index struct{ Manifests []descriptor }
		if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&index); err != nil {
			return Image{}, fmt.Errorf("index.json: %w", err)
		}
		if len(index.Manifests) != 1 {
			return Image{}, fmt.Errorf("index.json: %d manifests, want 1", len(index.Manifests))
		}
		full := index.Manifests[0].Annotations["io.containerd.image.name"]
		return Image{Reference: repository(full) + "@" + index.Manifests[0].Digest, Name: full, Bytes: st.Size()}, nil
	}
}

func ctr(ctx context.Context, socket string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args[:2], " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
