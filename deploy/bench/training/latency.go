package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const (
	jobsNamespace = "bench-jobs" // of the stack
	bareNamespace = "bench-bare" // of what the benchmark makes itself
	bareLabel     = "signalbox.dev/bench"
)

// clusterClasses is a stack whose jobs are Jobs of a cluster without nodes: they are made, and never run.
func clusterClasses(c *cluster, namespace string, parallel int) string {
	return fmt.Sprintf(`training:
  max_parallel: %d
  classes:
    CPU: {backend: kubernetes, cpu: 100m, memory: 64Mi}
  kubernetes:
    kubeconfig: %s
    namespace: %s
    image: localhost/none@sha256:%064d
    pull_policy: Never
    grace: 1s
`, parallel, c.Kubeconfig, namespace, 0)
}

// latency measures T1.
type latency struct {
	stack    *stack
	cluster  *cluster
	jobs     *jobWatch
	runs     *runWatch
	request  json.RawMessage // of a training run, the same each time
	template *batchv1.Job    // what the stack makes of it
	secret   *corev1.Secret
	workflow cas.Digest // whose body the stack keeps and finds in the object store
}

// jobLatency is T1: how long a requested run takes to be a Job, against one bare Create of the same Job.
func (b *bench) jobLatency(ctx context.Context) error {
	l := &latency{}
	var err error
	if l.cluster, err = b.cluster(ctx); err != nil {
		return err
	}
	for _, ns := range []string{jobsNamespace, bareNamespace} {
		if err := l.cluster.namespace(ctx, ns); err != nil {
			return err
		}
	}
	if l.stack, err = b.stack(ctx, "t1", clusterClasses(l.cluster, jobsNamespace, 100_000)); err != nil {
		return err
	}
	return errors.Join(l.measure(ctx, b), l.stack.close())
}

func (l *latency) measure(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if l.jobs, err = watchJobs(ctx, l.cluster.client, jobsNamespace, "signalbox.dev/run"); err != nil {
		return err
	}
	defer l.jobs.close()
	l.runs = watchRuns(ctx, l.stack.kafka)
	defer l.runs.close()
	defer cancel() // the watches end with it
	if err := l.first(ctx); err != nil {
		return err
	}
	every := figures.Series{}
	for round := range b.rounds + 1 {
		one, err := l.round(ctx, b.requests)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if round == 0 {
			continue // warms up connections, caches and the server's
		}
		for name, values := range one {
			every.Add(name+" p50", figures.Quantile(values, 0.5))
			every.Add(name+" p99", figures.Quantile(values, 0.99))
		}
	}
	l.tell(b, every.Medians())
	return nil
}

// first declares the example and one dataset, and learns from the run that follows what the stack asks for and makes.
func (l *latency) first(ctx context.Context) error {
	if err := l.stack.example(ctx, unchanged); err != nil {
		return err
	}
	d, _, err := l.stack.registry.PublishDataset(ctx, emptyDataset(flights.Dataset, 0))
	if err != nil {
		return err
	}
	var list struct {
		Runs []struct {
			ID       string          `json:"id"`
			Dataset  string          `json:"dataset"`
			Request  json.RawMessage `json:"request"`
			Workflow cas.Digest      `json:"workflow"`
		} `json:"runs"`
	}
	err = until(ctx, "the first run", func() (bool, error) {
		err := l.stack.Get(ctx, "/v1/runs?model="+flights.Model, &list)
		return len(list.Runs) == 1 && list.Runs[0].Dataset == d.ID.String(), err
	})
	if err != nil {
		return err
	}
	id := list.Runs[0].ID
	l.request, l.workflow = list.Runs[0].Request, list.Runs[0].Workflow
	if _, err := l.jobs.wait(ctx, id); err != nil {
		return err
	}
	if l.template, err = l.cluster.client.BatchV1().Jobs(jobsNamespace).Get(ctx, "run-"+id+"-1", metav1.GetOptions{}); err != nil {
		return err
	}
	if l.secret, err = l.cluster.client.CoreV1().Secrets(jobsNamespace).Get(ctx, l.template.Name, metav1.GetOptions{}); err != nil {
		return err
	}
	return l.clear(ctx, []string{id})
}

// asked is one request of a round.
type asked struct {
	id                      string
	posted, answered, found time.Time
}

// round asks for n runs one after another, each beside one bare Create, and removes what was made. All in milliseconds.
func (l *latency) round(ctx context.Context, n int) (figures.Series, error) {
	out := figures.Series{}
	var all []asked
	for i := range n {
		job, secret, err := l.bare(ctx, i)
		if err != nil {
			return nil, err
		}
		out.Add("bare", job)
		out.Add("secret", secret)
		if err := l.objects(ctx, out); err != nil {
			return nil, err
		}
		a, err := l.ask(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		out.Add("answered", figures.Millis(a.found.Sub(a.answered)))
		out.Add("posted", figures.Millis(a.found.Sub(a.posted)))
		switch {
		case i < n/10:
			out.Add("first tenth", figures.Millis(a.found.Sub(a.posted)))
		case i >= n-n/10:
			out.Add("last tenth", figures.Millis(a.found.Sub(a.posted)))
		}
		out.Add("post", figures.Millis(a.answered.Sub(a.posted)))
	}
	ids := make([]string, len(all))
	for i, a := range all {
		ids[i] = a.id
		if err := l.parts(ctx, a, out); err != nil {
			return nil, err
		}
	}
	return out, l.clear(ctx, ids)
}

// ask requests a run and waits for its Job.
func (l *latency) ask(ctx context.Context) (asked, error) {
	a := asked{posted: time.Now()}
	if err := l.stack.Call(ctx, http.MethodPost, l.stack.Control+"/train", "application/json", l.request, &a.id); err != nil {
		return a, err
	}
	a.answered = time.Now()
	var err error
	a.found, err = l.jobs.wait(ctx, a.id)
	return a, err
}

// clear cancels runs and waits until the cluster has forgotten them, and the bare ones.
func (l *latency) clear(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if err := l.stack.Call(ctx, http.MethodPost, l.stack.Control+"/v1/runs/"+id+":cancel", "application/json", struct{}{}, nil); err != nil {
			return fmt.Errorf("cancel run %s: %w", id, err)
		}
	}
	jobs, secrets := l.cluster.client.BatchV1().Jobs(bareNamespace), l.cluster.client.CoreV1().Secrets(bareNamespace)
	mine := metav1.ListOptions{LabelSelector: bareLabel}
	background := metav1.DeletePropagationBackground
	if err := jobs.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, mine); err != nil {
		return err
	}
	if err := secrets.DeleteCollection(ctx, metav1.DeleteOptions{}, mine); err != nil {
		return err
	}
	return until(ctx, "the cluster to be empty again", func() (bool, error) {
		for _, ns := range []string{jobsNamespace, bareNamespace} {
			left, err := l.cluster.client.BatchV1().Jobs(ns).List(ctx, metav1.ListOptions{Limit: 1})
			pods, podErr := l.cluster.client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{Limit: 1})
			if err = errors.Join(err, podErr); err != nil || len(left.Items)+len(pods.Items) > 0 {
				return false, err
			}
		}
		return true, nil
	})
}
