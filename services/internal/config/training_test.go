package config

import (
	"strings"
	"testing"
)

func TestCheckTraining(t *testing.T) {
	ray := Kubernetes{Namespace: "training", RayVersion: "2.60.0"}
	for name, tc := range map[string]struct {
		training Training
		want     []string
	}{
		"no classes":            {Training{}, nil},
		"kuberay":               {Training{Classes: map[string]Class{"WIDE": {Backend: BackendKubeRay, Workers: 3}}, Kubernetes: ray}, nil},
		"kuberay of nothing":    {Training{Classes: map[string]Class{"WIDE": {Backend: BackendKubeRay}}}, []string{"training.kubernetes.ray_version", "training.kubernetes.namespace"}},
		"kubernetes of nothing": {Training{Classes: map[string]Class{"CPU": {Backend: BackendKubernetes}}}, []string{"training.kubernetes.namespace"}},
		"ray of nothing":        {Training{Classes: map[string]Class{"CPU": {Backend: BackendRay}}}, []string{"training.ray.url"}},
		"unknown":               {Training{Classes: map[string]Class{"CPU": {Backend: "slurm"}}}, []string{`"slurm"`, "or kuberay"}},
		"workers elsewhere":     {Training{Classes: map[string]Class{"CPU": {Workers: 2}}}, []string{"training.classes.CPU.workers"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Config{Training: tc.training}.CheckTraining()
			if (err != nil) != (len(tc.want) > 0) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %s: %v", want, err)
				}
			}
		})
	}
}
