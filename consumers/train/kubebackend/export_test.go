package kubebackend

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// What others make pods of is what a Job of ours has, but for the Secret's name.
func TestPodIsThatOfTheJob(t *testing.T) {
	b := newBackend(t)
	j := train.Job{Run: registry.RunID(uuid.New()), Attempt: 1, ComputeClass: "CPU", Spec: []byte("{}"), Files: map[string]string{"workflow/a.py": ""}}
	pod, err := b.Pod(j, "another")
	if err != nil {
		t.Fatal(err)
	}
	job, err := b.job(j, b.cfg.Classes["CPU"])
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Spec.Volumes[0].Secret.SecretName; got != "another" {
		t.Errorf("the pod mounts %q", got)
	}
	pod.Spec.Volumes[0].Secret.SecretName = job.Name
	if got, want := pod.String(), job.Spec.Template.String(); got != want {
		t.Errorf("pod\n%s\nwant\n%s", got, want)
	}
	c := pod.Spec.Containers[0]
	if !slices.Contains(c.Command, Document) || c.VolumeMounts[1].MountPath != Scratch || c.VolumeMounts[1].ReadOnly {
		t.Errorf("document %s and scratch %s are not those of %v, %v", Document, Scratch, c.Command, c.VolumeMounts)
	}
	if secret, err := b.Secret(j, "another"); err != nil || secret.Name != "another" || string(secret.Data[jobFile]) != "{}" {
		t.Errorf("secret %+v, %v", secret, err)
	}
}

func TestWhatNoPodCanBeMadeOf(t *testing.T) {
	b := newBackend(t)
	var fault *manifest.Fault
	if _, err := b.Pod(train.Job{ComputeClass: "NONE"}, "x"); !errors.As(err, &fault) || fault.Path != "/compute_resource" {
		t.Errorf("unknown class: %v", err)
	}
	large := train.Job{ComputeClass: "CPU", Files: map[string]string{"workflow/a.py": strings.Repeat("x", maxSecret+1)}}
	if _, err := b.Secret(large, "x"); !errors.As(err, &fault) || fault.Path != "/workflow" {
		t.Errorf("a megabyte of sources: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := ConnectDynamic(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no kubeconfig: %v", err)
	}
}
