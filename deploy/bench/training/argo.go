package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// argoVersion is the one in argo-events/go.mod.
const argoVersion = "v1.9.7"

// argoKafka is the version of the protocol that its client speaks.
const argoKafka = "2.0.0"

// argo is the two programs of Argo Events, on the host instead of in pods.
type argo struct {
	source, sensor *exec.Cmd
	log            *os.File
	logFile        string
}

// startArgo builds and starts the peer: Kafka topic of datasets, bus in Kafka, one Job for each record. Close it.
func (b *bench) startArgo(ctx context.Context, c *cluster, broker, bus string) (*argo, error) {
	program := filepath.Join(b.bin, "argo-events")
	if built := filepath.Join(os.Getenv("SIGNALBOX_BIN"), "argo-events"); os.Getenv("SIGNALBOX_BIN") != "" && rig.Exists(built) {
		program = built
	} else {
		cmd := exec.CommandContext(ctx, "go", "build", "-C", "deploy/bench/training/argo-events", "-trimpath", "-o", program, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build argo-events: %w\n%s", err, out)
		}
	}
	account, host, err := argoAccount(ctx, c, filepath.Join(b.dir, "argo-account"))
	if err != nil {
		return nil, err
	}
	a := &argo{logFile: filepath.Join(b.dir, "argo-events.log")}
	if a.log, err = os.Create(a.logFile); err != nil {
		return nil, err
	}
	objects, err := encoded(argoBus(broker, bus), argoSource(broker), argoSensor())
	if err != nil {
		return nil, errors.Join(err, a.log.Close())
	}
	env := append(os.Environ(), "EVENTBUS_SUBJECT=bench", "POD_NAMESPACE="+argoJobs, "EVENTBUS_CONFIG="+objects[0])
	a.source = exec.Command(program, "eventsource")
	a.source.Env = slices.Concat(env, []string{"POD_NAME=bench-eventsource", "EVENTSOURCE_OBJECT=" + objects[1], "BENCH_ACCOUNT=" + account,
		"KUBERNETES_SERVICE_HOST=" + host.Hostname(), "KUBERNETES_SERVICE_PORT=" + host.Port()})
	// Its elections want the files of a service account at a fixed path: it gets mounts of its own for that.
	a.source.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	a.sensor = exec.Command(program, "sensor")
	a.sensor.Env = slices.Concat(env, []string{"POD_NAME=bench-sensor", "SENSOR_OBJECT=" + objects[2], "KUBECONFIG=" + c.Kubeconfig})
	for _, cmd := range []*exec.Cmd{a.sensor, a.source} {
		cmd.Stdout, cmd.Stderr = a.log, a.log
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("start argo-events (its event source needs root here): %w", err), a.close())
		}
	}
	return a, nil
}

// argoBus is Kafka, with the bus's own settings.
func argoBus(broker, topic string) any {
	return map[string]any{"kafka": map[string]any{
		"url": broker, "topic": topic, "version": argoKafka, "consumerGroup": map[string]any{"oldest": true},
	}}
}

// argoSource reads the records of datasets.
func argoSource(broker string) any {
	return map[string]any{"metadata": meta("signalbox"), "spec": map[string]any{"kafka": map[string]any{"ready": map[string]any{
		"url": broker, "topic": "signalbox.datasets", "partition": "0", "jsonBody": true, "version": argoKafka,
		"consumerGroup": map[string]any{"groupName": "argo-events", "oldest": true, "rebalanceStrategy": "range"},
	}}}}
}

// argoSensor makes a Job of each, named by the server: as its examples do.
func argoSensor() any {
	never := false
	job := batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "train-", Namespace: argoJobs, Labels: map[string]string{argoLabel: ""}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &never,
			Containers: []corev1.Container{{Name: "job", Image: "localhost/none", ImagePullPolicy: corev1.PullNever}},
		}}},
	}
	return map[string]any{"metadata": meta("signalbox"), "spec": map[string]any{
		"dependencies": []any{map[string]any{"name": "ready", "eventSourceName": "signalbox", "eventName": "ready"}},
		"triggers": []any{map[string]any{"template": map[string]any{"name": "job", "k8s": map[string]any{
			"operation": "create", "source": map[string]any{"resource": job},
			"parameters": []any{map[string]any{"src": map[string]any{"dependencyName": "ready", "dataKey": "body.dataset"}, "dest": "metadata.labels." + argoLabel}},
		}}}},
	}}
}

func meta(name string) map[string]string {
	return map[string]string{"name": name, "namespace": argoJobs}
}

// encoded are objects as the controllers hand them to their pods.
func encoded(objects ...any) ([]string, error) {
	var out []string
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("encode an object of argo-events: %w", err)
		}
		out = append(out, base64.StdEncoding.EncodeToString(b))
	}
	return out, nil
}

// argoAccount makes a service account with every right and writes its files; it returns their folder and the API server.
func argoAccount(ctx context.Context, c *cluster, dir string) (string, *url.URL, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return "", nil, err
	}
	host, err := url.Parse(cfg.Host)
	if err != nil {
		return "", nil, err
	}
	ca := cfg.CAData
	if len(ca) == 0 {
		if ca, err = os.ReadFile(cfg.CAFile); err != nil {
			return "", nil, err
		}
	}
	const name = "argo-events"
	if _, err := c.client.CoreV1().ServiceAccounts(argoJobs).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return "", nil, err
	}
	_, err = c.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: argoJobs}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", nil, err
	}
	token, err := c.client.CoreV1().ServiceAccounts(argoJobs).CreateToken(ctx, name, &authnv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	return dir, host, errors.Join(os.WriteFile(filepath.Join(dir, "token"), []byte(token.Status.Token), 0o600),
		os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600))
}

// argoEnds bounds how long each program may take to end.
const argoEnds = 10 * time.Second

// close ends both programs and waits for that.
func (a *argo) close() error {
	for _, cmd := range []*exec.Cmd{a.source, a.sensor} {
		if cmd.Process == nil {
			continue
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that is gone needs none
		kill := time.AfterFunc(argoEnds, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // how it ended is of no interest
		kill.Stop()
	}
	return a.log.Close()
}
