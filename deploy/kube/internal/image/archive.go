// Package image turns a folder into a container image and gives it to containerd, without a builder and without a
// registry. The same folder always becomes the same digest: owners, times and the order of files are fixed.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Config is what an image says about itself beside its files.
type Config struct {
	// Name is the image's name with a tag, such as localhost/trainer:1. Required.
	Name string
	// User is "uid:gid", numeric: Kubernetes cannot tell whether a name is root. Empty is root.
	User string
	// Entrypoint is the program and its first arguments, or nil.
	Entrypoint []string
	// Env are lines of KEY=VALUE.
	Env []string
}

// Image is a built image.
type Image struct {
	// Reference names the image by digest, such as localhost/trainer@sha256:….
	Reference string `json:"image"`
	// Name is the name with a tag that it was built under.
	Name string `json:"name"`
	// Bytes is the size of the archive.
	Bytes int64 `json:"bytes"`
}

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Build writes the files below root as an image of one layer to the file out. The archive is an OCI layout and what
// docker load reads at the same time.
func Build(root, out string, cfg Config) (Image, error) {
	name := repository(cfg.Name)
	if name == cfg.Name || strings.Contains(cfg.Name, "@") || !strings.Contains(name, "/") {
		return Image{}, fmt.Errorf("build image: name %q: want something like localhost/trainer:1", cfg.Name)
	}
	files, err := list(root)
	if err != nil {
		return Image{}, fmt.Errorf("build image %s: %w", cfg.Name, err)
	}
	w, err := os.CreateTemp(filepath.Dir(out), "image-*")
	if err != nil {
		return Image{}, fmt.Errorf("build image %s: %w", cfg.Name, err)
	}
	defer os.Remove(w.Name()) // it has another name if all went well
	digest, err := write(w, files, cfg)
	if err == nil {
		err = w.Chmod(0o644)
	}
	size, seekErr := w.Seek(0, io.SeekEnd)
	if err == nil {
		err = seekErr
	}
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(w.Name(), out)
	}
	if err != nil {
		return Image{}, fmt.Errorf("build image %s: %w", cfg.Name, err)
	}
	return Image{Reference: name + "@" + digest, Name: cfg.Name, Bytes: size}, nil
}

// write writes the archive and returns the digest of the manifest.
func write(w io.Writer, files []file, cfg Config) (string, error) {
	// The layer is read twice: its name in the archive is its digest.
	h := sha256.New()
	layer := descriptor{MediaType: mediaLayer}
	count := &counter{w: h}
	if err := writeLayer(count, files); err != nil {
		return "", err
	}
	layer.Digest, layer.Size = fmt.Sprintf("sha256:%x", h.Sum(nil)), count.n
	config, err := json.Marshal(configFile(cfg, layer.Digest))
	if err != nil {
		return "", err
	}
	configDesc := describe(mediaConfig, config)
	manifest, err := json.Marshal(struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, mediaManifest, configDesc, []descriptor{layer}})
	if err != nil {
		return "", err
	}
	manifestDesc := describe(mediaManifest, manifest)
	manifestDesc.Annotations = map[string]string{"io.containerd.image.name": cfg.Name}
	index, err := json.Marshal(struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}{2, mediaIndex, []descriptor{manifestDesc}})
	if err != nil {
		return "", err
	}
	forDocker, err := json.Marshal([]struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{{blob(configDesc.Digest), []string{cfg.Name}, []string{blob(layer.Digest)}}})
	if err != nil {
		return "", err
	}

	tw := tar.NewWriter(w)
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", index}, {"manifest.json", forDocker},
		{blob(configDesc.Digest), config}, {blob(manifestDesc.Digest), manifest},
	} {
		if err := tw.WriteHeader(header(f.name, int64(len(f.content)))); err != nil {
			return "", err
		}
		if _, err := tw.Write(f.content); err != nil {
			return "", err
		}
	}
	if err := tw.WriteHeader(header(blob(layer.Digest), layer.Size)); err != nil {
		return "", err
	}
	again := sha256.New()
	if err := writeLayer(io.MultiWriter(tw, again), files); err != nil {
		return "", err
	}
	if fmt.Sprintf("sha256:%x", again.Sum(nil)) != layer.Digest {
		return "", fmt.Errorf("the files changed while they were read: try again")
	}
	return manifestDesc.Digest, tw.Close()
}

func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)), Size: int64(len(content))}
}

// repository returns an image's name without its tag. A colon before the last slash is a port's.
func repository(name string) string {
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return name[:i]
	}
	return name
}

func blob(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

// configFile is the image's configuration as the OCI image specification has it.
func configFile(cfg Config, layer string) any {
	type inner struct {
		User       string   `json:"User,omitempty"`
		Env        []string `json:"Env"`
		Entrypoint []string `json:"Entrypoint,omitempty"`
		WorkingDir string   `json:"WorkingDir"`
	}
	type rootfs struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	env := cfg.Env
	if !slices.ContainsFunc(env, func(line string) bool { return strings.HasPrefix(line, "PATH=") }) {
		env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	}
	return struct {
		Created      string `json:"created"`
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Config       inner  `json:"config"`
		RootFS       rootfs `json:"rootfs"`
	}{
		"1970-01-01T00:00:00Z", runtime.GOARCH, "linux",
		inner{cfg.User, env, cfg.Entrypoint, "/"}, rootfs{"layers", []string{layer}},
	}
}

type counter struct {
	w io.Writer
	n int64
}

// Write passes p on and counts it.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
