package kubebackend

import (
	"fmt"

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
	// The default of five requests a second would make a burst of runs wait here instead of in the cluster's queue.
	cfg.QPS, cfg.Burst = 200, 400
	cfg.UserAgent = "signalbox"
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

func restConfig(path string) (*rest.Config, error) {
	if path == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", path)
}
