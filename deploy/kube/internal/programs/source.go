package programs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const module = "module github.com/signalbox-ml/signalbox\n"

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)$`)

// Source returns the folder of the programs' sources: the one of the tree that from is in. The command is run from its
// tree, as by "go run" and by tests, and an embedded copy is not possible: the programs are a module of their own.
func Source(from string) (string, error) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), module) {
			return filepath.Join(dir, "deploy", "kube", "programs"), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("%s is not in the source tree of signalbox: change into it, or name it with --tree", from)
		}
		dir = filepath.Dir(dir)
	}
}

// key names a build: what it is made from, and by which Go.
func key(source, goVersion string, files []string) (string, error) {
	h := sha256.New()
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s\n", name, len(b), b)
	}
	fmt.Fprintln(h, goVersion)
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// linkFlags make the programs say which version they are: without them they call themselves v0.0.0, and kubectl and the
// kubelet compare versions.
func linkFlags(gomod []byte) (string, error) {
	v := kubernetesVersion.FindSubmatch(gomod)
	if v == nil {
		return "", errors.New("go.mod requires no k8s.io/kubernetes")
	}
	flags := "-s -w"
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, set := range []string{
			fmt.Sprintf("gitVersion=v%s.%s.%s", v[1], v[2], v[3]), fmt.Sprintf("gitMajor=%s", v[1]), fmt.Sprintf("gitMinor=%s", v[2]),
			"gitTreeState=clean", "gitCommit=module", "buildDate=1970-01-01T00:00:00Z",
		} {
			flags += " -X " + pkg + "." + set
		}
	}
	return flags, nil
}
