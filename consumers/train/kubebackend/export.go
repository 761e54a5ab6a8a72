package kubebackend

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Where the pods of Pod have the job document, and what they can write.
const (
	Document = jobDir + "/" + jobFile
	Scratch  = workDir
)

// Pod is the pod that would run j, for backends whose pods are made by an operator of the cluster: confined as all of ours,
// labelled, and with the Secret of that name mounted where Document is. It fails with a manifest.Fault where the class does
// not exist. Nothing is created.
func (b *Backend) Pod(j train.Job, secret string) (corev1.PodTemplateSpec, error) {
	class, err := b.class(j)
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	job, err := b.job(j, class)
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	pod := job.Spec.Template
	for i := range pod.Spec.Volumes {
		if s := pod.Spec.Volumes[i].Secret; s != nil {
			s.SecretName = secret
		}
	}
	return pod, nil
}

func (b *Backend) class(j train.Job) (Class, error) {
	class, ok := b.cfg.Classes[j.ComputeClass]
	if !ok {
		return Class{}, &manifest.Fault{Path: "/compute_resource", Problem: fmt.Sprintf("there is no compute class %q on Kubernetes", j.ComputeClass)}
	}
	return class, nil
}

// Secret is what Pod mounts, under that name: the document with its token, and the sources. It fails with a manifest.Fault
// where they are more than a Secret holds. Nothing is created.
func (b *Backend) Secret(j train.Job, name string) (*corev1.Secret, error) {
	s := b.secret(j)
	s.Name = name
	size := 0
	for _, v := range s.Data {
		size += len(v)
	}
	if size > maxSecret {
		return nil, &manifest.Fault{Path: "/workflow", Problem: fmt.Sprintf("job document and sources have %d bytes: a Kubernetes job takes %d", size, maxSecret)}
	}
	return s, nil
}
