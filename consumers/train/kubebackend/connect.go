package kubebackend

import (
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Connect returns a client: by a kubeconfig file, or by the service account of the pod that this process runs in where
// path is empty.
func Connect(path string) (kubernetes.Interface, error) {
	cfg, err := restConfig(path)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

// ConnectDynamic is Connect for kinds that the cluster itself does not have.
func ConnectDynamic(path string) (dynamic.Interface, error) {
	cfg, err := restConfig(path)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

func restConfig(path string) (cfg *rest.Config, err error) {
	if path == "" {
		cfg, err = rest.InClusterConfig()
	} else {
		cfg, err = clientcmd.BuildConfigFromFlags("", path)
	}
	if err != nil {
		return nil, err
	}
	// The default of five requests a second would make a burst of runs wait here instead of in the cluster's queue.
	cfg.QPS, cfg.Burst = 200, 400
	cfg.UserAgent = "signalbox"
	return cfg, nil
}
