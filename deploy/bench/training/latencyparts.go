package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// bare makes the same Job and the same Secret under other names, and returns how long each Create took.
func (l *latency) bare(ctx context.Context, i int) (job, secret float64, err error) {
	meta := metav1.ObjectMeta{Name: "bare-" + strconv.Itoa(i), Labels: map[string]string{bareLabel: "1"}, Annotations: l.template.Annotations}
	for k, v := range l.template.Labels {
		meta.Labels[k] = v
	}
	s := &corev1.Secret{ObjectMeta: meta, Type: l.secret.Type, Immutable: l.secret.Immutable, Data: l.secret.Data}
	begin := time.Now()
	if _, err = l.cluster.client.CoreV1().Secrets(bareNamespace).Create(ctx, s, metav1.CreateOptions{}); err != nil {
		return 0, 0, err
	}
	secret = figures.Millis(time.Since(begin))
	j := &batchv1.Job{ObjectMeta: meta, Spec: *l.template.Spec.DeepCopy()}
	j.Spec.Selector = nil // the server makes one for each Job, and labels its pods
	for _, key := range []string{"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"} {
		delete(j.Spec.Template.Labels, key)
	}
	begin = time.Now()
	_, err = l.cluster.client.BatchV1().Jobs(bareNamespace).Create(ctx, j, metav1.CreateOptions{})
	return figures.Millis(time.Since(begin)), secret, err
}

// objects adds what the stack's own trips to the object store take: a request keeps the body of its workflow there, and a
// job finds it again.
func (l *latency) objects(ctx context.Context, out figures.Series) error {
	store := cas.NewStore(l.stack.store)
	begin := time.Now()
	d, err := store.Find(ctx, l.workflow)
	if err != nil {
		return err
	}
	body, err := store.Fetch(ctx, d)
	if err != nil {
		return err
	}
	out.Add("find", figures.Millis(time.Since(begin)))
	begin = time.Now()
	if _, err := store.Push(ctx, registry.MediaWorkflow, body); err != nil {
		return err
	}
	out.Add("keep", figures.Millis(time.Since(begin)))
	return nil
}

// parts adds where the time of one request went. The clocks are one machine's.
func (l *latency) parts(ctx context.Context, a asked, out figures.Series) error {
	run, err := l.stack.run(ctx, a.id)
	if err != nil {
		return err
	}
	heard, err := l.runs.wait(ctx, a.id)
	if err != nil {
		return err
	}
	queued := run.at("queued")
	out.Add("part 1: POST to the transaction", figures.Millis(run.Created.Sub(a.posted)))
	out.Add("part 2: transaction, relay, Kafka, consumer", figures.Millis(heard.Sub(run.Created)))
	out.Add("part 3: consumer to queued", figures.Millis(queued.Sub(heard)))
	out.Add("part 4: queued to Job (transaction, document, Secret, Job)", figures.Millis(a.found.Sub(queued)))
	return nil
}

// tell writes the rows of T1.
func (l *latency) tell(b *bench, m map[string]float64) {
	line := func(what, name, q, bareQ, limit string) {
		r := figures.Row{Goal: "T1", What: what, Numerator: fmt.Sprintf("%.1f ms", m[name+" "+q]), Denominator: fmt.Sprintf("%.1f ms bare Create, %s", m["bare "+bareQ], bareQ),
			Ratio: m[name+" "+q] / m["bare "+bareQ]}
		if limit != "" {
			r.Limit, r.Met = limit, r.Ratio <= 5
		}
		b.report.Add(r)
	}
	line("answer of POST /train to Job, p50", "answered", "p50", "p50", "")
	line("answer of POST /train to Job, p99", "answered", "p99", "p99", "<= 5")
	line("start of POST /train to Job, p50", "posted", "p50", "p50", "")
	line("start of POST /train to Job, p99", "posted", "p99", "p99", "<= 5")
	line("start of POST /train to Job, p99 against a usual Create", "posted", "p99", "p50", "")
	b.report.Add(figures.Row{Goal: "T1", What: fmt.Sprintf("the last tenth of a round, beside %d jobs under way, against the first, p50", b.requests*9/10),
		Numerator: fmt.Sprintf("%.1f ms", m["last tenth p50"]), Denominator: fmt.Sprintf("%.1f ms", m["first tenth p50"]),
		Ratio: m["last tenth p50"] / max(m["first tenth p50"], 1e-9)})
	for _, name := range []string{
		"part 1: POST to the transaction", "part 2: transaction, relay, Kafka, consumer", "part 3: consumer to queued",
		"part 4: queued to Job (transaction, document, Secret, Job)", "post", "secret", "keep", "find",
	} {
		what := map[string]string{"post": "the whole POST /train", "secret": "a bare Create of the Secret",
			"keep": "of POST: the workflow kept in the object store (two trips)", "find": "of part 4: the workflow found there (two trips)"}[name]
		if what == "" {
			what = name
		}
		b.report.Add(figures.Row{Goal: "T1", What: what, Numerator: fmt.Sprintf("%.1f ms p50, %.1f ms p99", m[name+" p50"], m[name+" p99"])})
	}
	b.report.Note("T1: %d rounds of %d requests one after another, after one to warm up; medians of the rounds' quantiles. Before each request the same client "+
		"creates the same Secret and Job bare. The Job counts as there when a watch shows it.", b.rounds, b.requests)
}
