// Command argo-events is the two programs of Argo Events that turn a record into an object of Kubernetes, its event source
// and its sensor, for a benchmark that runs them beside Signalbox. They are given their objects by the environment, as its
// controllers do it. What differs from its own mains: no server of metrics, which would listen on every address; and a
// service account from files, since there is no pod.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/eventsources"
	"github.com/argoproj/argo-events/pkg/metrics"
	"github.com/argoproj/argo-events/pkg/sensors"
	"github.com/argoproj/argo-events/pkg/shared/logging"
)

func main() {
	programs := map[string]func(context.Context) error{"eventsource": eventSource, "sensor": sensor}
	if len(os.Args) != 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: argo-events eventsource|sensor")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := logging.NewArgoEventsLogger().Named(os.Args[1])
	if err := programs[os.Args[1]](logging.WithLogger(ctx, logger)); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "argo-events:", err)
		os.Exit(1)
	}
}

// object decodes what a controller puts into the environment of its pods.
func object(name string, into any) error {
	b, err := base64.StdEncoding.DecodeString(os.Getenv(name))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func eventSource(ctx context.Context) error {
	var source v1alpha1.EventSource
	var bus v1alpha1.BusConfig
	if err := object(v1alpha1.EnvVarEventSourceObject, &source); err != nil {
		return err
	}
	if err := object(v1alpha1.EnvVarEventBusConfig, &bus); err != nil {
		return err
	}
	if err := account(os.Getenv("BENCH_ACCOUNT")); err != nil {
		return err
	}
	m := metrics.NewMetrics(source.Namespace)
	return eventsources.NewEventSourceAdaptor(&source, &bus, os.Getenv(v1alpha1.EnvVarEventBusSubject), os.Getenv(v1alpha1.EnvVarPodName), m).Start(ctx)
}

// account puts the files of a service account where pods have them. This process has mounts of its own, so that nobody
// else sees them.
func account(from string) error {
	const in = "/var/run/secrets/kubernetes.io/serviceaccount"
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount a service account: %w", err)
	}
	if err := os.MkdirAll(in, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"token", "ca.crt"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(in, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func sensor(ctx context.Context) error {
	var declared v1alpha1.Sensor
	var bus v1alpha1.BusConfig
	if err := object(v1alpha1.EnvVarSensorObject, &declared); err != nil {
		return err
	}
	if err := object(v1alpha1.EnvVarEventBusConfig, &bus); err != nil {
		return err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv(v1alpha1.EnvVarKubeConfig))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	m := metrics.NewMetrics(declared.Namespace)
	return sensors.NewSensorContext(client, dyn, &declared, &bus, os.Getenv(v1alpha1.EnvVarEventBusSubject), os.Getenv(v1alpha1.EnvVarPodName), m).Start(ctx)
}
