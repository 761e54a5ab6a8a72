package main

import (
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend/kuberay"
	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// kubeRay is the backend of classes whose jobs have a Ray cluster each. Their pods are those that Kubernetes classes would
// have, so that what confines a job is written once.
func kubeRay(t config.Training, a *app) (*kuberay.Backend, error) {
	pods, err := kubernetes(t, config.BackendKubeRay, a, nil)
	if err != nil {
		return nil, err
	}
	client, err := kubebackend.ConnectDynamic(t.Kubernetes.Kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg := kuberay.Config{
		Client: client, Namespace: t.Kubernetes.Namespace, Instance: t.Kubernetes.Instance, RayVersion: t.Kubernetes.RayVersion,
		Pod: pods.Pod, Secret: pods.Secret, Document: kubebackend.Document, Scratch: kubebackend.Scratch,
		Workers: map[string]int{}, Queues: map[string]string{}, Log: a.log,
	}
	for name, c := range t.Classes {
		if c.Backend == config.BackendKubeRay {
			cfg.Workers[name], cfg.Queues[name] = c.Workers, c.Queue
		}
	}
	return kuberay.New(cfg)
}
