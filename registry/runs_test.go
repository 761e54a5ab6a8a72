package registry_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// requested is a bench with one run.
func requested(t *testing.T) (bench, registry.Run) {
	t.Helper()
	b := newBench(t)
	b.apply(t, workflowYAML)
	run, _, err := b.RequestRun(t.Context(), request(b.dataset(t, "flights", 0).ID.String()))
	if err != nil {
		t.Fatal(err)
	}
	return b, run
}

// running takes the run to its first attempt.
func running(t *testing.T) (bench, registry.Run) {
	t.Helper()
	b, run := requested(t)
	must(b.QueueRun(t.Context(), run.ID, "CPU"))(t)
	logs := map[string]string{"logs": registry.ArtifactKey(run.ID, 1, registry.LogDir) + "/"}
	return b, must(b.StartRun(t.Context(), run.ID, 1, logs))(t)
}

// made publishes a package as the run's job does.
func made(t *testing.T, b bench, run registry.Run, text string) registry.Package {
	t.Helper()
	m := b.files(t, text)
	p, _, err := b.PublishPackage(t.Context(), cas.Sum(m), m, run.Model, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRunToTheEnd(t *testing.T) {
	b, run := running(t)
	id := run.ID.String()
	p := made(t, b, run, "tree")
	scores := map[string]string{"scores.tsv": registry.ArtifactKey(run.ID, 1, "scores.tsv")}
	done, err := b.CompleteRun(t.Context(), run.ID, 1, p.ID, scores)
	if err != nil || done.State != registry.RunComplete || done.Package != p.ID || len(done.Artifacts) != 2 {
		t.Fatalf("CompleteRun = %+v, %v", done, err)
	}
	wantOutbox(t, b, "dataset.ready "+run.Dataset.String(), "run.requested "+id, "run.started "+id+"/running/1",
		"package.published "+id+"/published", "run.succeeded "+id+"/complete/1")
	if ev := last[events.RunChanged](t, b, events.TypeRunSucceeded); ev.Package != p.ID.String() || ev.State != "complete" || ev.Attempt != 1 {
		t.Errorf("event = %+v", ev)
	}
	var published events.PackagePublished
	if err := b.events(t)[3].DataAs(&published); err != nil {
		t.Fatal(err)
	}
	want := events.PackagePublished{Package: p.ID.String(), Model: "flight-delay", RunID: id, Dataset: run.Dataset.String(),
		Format: "lightgbm-text", Size: p.Size}
	if published != want {
		t.Errorf("event = %+v, want %+v", published, want)
	}
	// The job did not hear the answer and asks again.
	if again, err := b.CompleteRun(t.Context(), run.ID, 1, p.ID, scores); err != nil || again.Package != p.ID {
		t.Errorf("repeat = %+v, %v", again, err)
	}
	if n := len(b.outbox(t)); n != 5 {
		t.Errorf("%d events after the repeat", n)
	}
	prov := must(b.Attestations(t.Context(), p.ID))(t)
	var body registry.Provenance
	if len(prov) != 1 || prov[0].Type != registry.AttestProvenance || json.Unmarshal(prov[0].Body, &body) != nil ||
		body.Run != run.ID || body.Dataset != run.Dataset || body.Workflow != run.Workflow || prov[0].ID != cas.Sum(prov[0].Body) {
		t.Errorf("provenance = %+v", prov)
	}
	for name, f := range map[string]func() error{
		"another package": func() error {
			_, err := b.CompleteRun(t.Context(), run.ID, 1, made(t, b, run, "other").ID, nil)
			return err
		},
		"cancel": func() error { _, err := b.CancelRun(t.Context(), run.ID, ""); return err },
		"fail":   func() error { _, err := b.FailRun(t.Context(), run.ID, 1, events.Exception{}, nil); return err },
		"retry":  func() error { _, err := b.RetryRun(t.Context(), run.ID, 1, "", ""); return err },
	} {
		if err := f(); !errors.Is(err, registry.ErrRunMoved) {
			t.Errorf("%s after the end: %v, want ErrRunMoved", name, err)
		}
	}
}

// A job that was given up and comes back must not end the run that another attempt works on.
func TestFencing(t *testing.T) {
	b, run := running(t)
	retried, err := b.RetryRun(t.Context(), run.ID, 1, "", "lost")
	if err != nil || retried.Attempt != 2 || retried.State != registry.RunQueued {
		t.Fatalf("RetryRun = %+v, %v", retried, err)
	}
	if _, err := b.RetryRun(t.Context(), run.ID, 1, "", "lost"); err != nil {
		t.Errorf("repeated retry: %v", err)
	}
	p := made(t, b, run, "zombie")
	for name, f := range map[string]func() error{
		"start":    func() error { _, err := b.StartRun(t.Context(), run.ID, 1, nil); return err },
		"complete": func() error { _, err := b.CompleteRun(t.Context(), run.ID, 1, p.ID, nil); return err },
		"fail": func() error {
			_, err := b.FailRun(t.Context(), run.ID, 1, events.Exception{Type: "E"}, nil)
			return err
		},
		"sign": func() error {
			_, err := b.SignArtifacts(t.Context(), run.ID, 1, []registry.Artifact{{Name: "a", Digest: cas.Sum(nil)}})
			return err
		},
	} {
		if err := f(); !errors.Is(err, registry.ErrRunMoved) {
			t.Errorf("%s by a fenced attempt: %v, want ErrRunMoved", name, err)
		}
	}
	if got := must(b.Attestations(t.Context(), p.ID))(t); len(got) != 0 {
		t.Errorf("a fenced attempt left the statement %s", got[0].Body)
	}
	// The second attempt is short: it ends before anybody saw it start.
	if done, err := b.CompleteRun(t.Context(), run.ID, 2, p.ID, nil); err != nil || done.State != registry.RunComplete {
		t.Errorf("CompleteRun = %+v, %v", done, err)
	}
}

func TestCompleteOnce(t *testing.T) {
	b, run := running(t)
	var pkgs []registry.Package
	for _, text := range []string{"a", "b", "c", "d"} {
		pkgs = append(pkgs, made(t, b, run, text))
	}
	before := len(b.outbox(t))
	var wg sync.WaitGroup
	errs := make([]error, len(pkgs))
	for i, p := range pkgs {
		wg.Go(func() { _, errs[i] = b.CompleteRun(t.Context(), run.ID, 1, p.ID, nil) })
	}
	wg.Wait()
	got := must(b.Run(t.Context(), run.ID))(t)
	for i, err := range errs {
		if (err == nil) != (got.Package == pkgs[i].ID) || err != nil && !errors.Is(err, registry.ErrRunMoved) {
			t.Errorf("twin %d: %v, and the run has %s", i, err, got.Package)
		}
	}
	if n := len(b.outbox(t)) - before; n != 2 {
		t.Errorf("%d events of the end, want 2", n)
	}
}

func TestCompleteRefused(t *testing.T) {
	b, run := running(t)
	_, err := b.CompleteRun(t.Context(), run.ID, 1, cas.Sum([]byte("none")), nil)
	wantInvalid(t, "unpublished package", err, "not published")
	p := made(t, b, run, "tree")
	other := registry.ArtifactKey(registry.RunID{1}, 1, "scores.tsv")
	for name, key := range map[string]string{
		"another run's": other, "another attempt's": registry.ArtifactKey(run.ID, 2, "scores.tsv"),
		"traversal": registry.AttemptPrefix(run.ID, 1) + "../x", "anything": "blobs/x",
	} {
		_, err = b.CompleteRun(t.Context(), run.ID, 1, p.ID, map[string]string{"scores.tsv": key})
		wantInvalid(t, name+" artifact", err, "/artifacts/scores.tsv")
	}
	if _, err = b.CompleteRun(t.Context(), registry.RunID{1}, 1, p.ID, nil); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no run: %v, want ErrNotFound", err)
	}
}

func TestFailAndCancel(t *testing.T) {
	b, run := requested(t)
	e := events.Exception{Type: "ValueError", Message: "no rows", Step: "fetch"}
	got, err := b.FailRun(t.Context(), run.ID, 0, e, nil)
	if err != nil || got.State != registry.RunFailed || *got.Exception != e {
		t.Fatalf("FailRun = %+v, %v", got, err)
	}
	if ev := last[events.RunChanged](t, b, events.TypeRunFailed); *ev.Exception != e || ev.State != "failed" {
		t.Errorf("event = %+v", ev)
	}

	b, run = running(t)
	for range 2 { // the second time nothing is left to do
		if got, err := b.CancelRun(t.Context(), run.ID, "not needed"); err != nil || got.State != registry.RunCancelled {
			t.Errorf("CancelRun = %+v, %v", got, err)
		}
	}
	last[events.RunChanged](t, b, events.TypeRunCancelled)
	h := must(b.Run(t.Context(), run.ID))(t).History
	if len(h) != 4 || h[3].Reason != "not needed" {
		t.Errorf("history = %+v", h)
	}
	if _, err := b.CancelRun(t.Context(), registry.RunID{1}, ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no run: %v, want ErrNotFound", err)
	}
}

func TestSignArtifacts(t *testing.T) {
	b, run := running(t)
	sum := cas.Sum([]byte("x"))
	got, err := b.SignArtifacts(t.Context(), run.ID, 1, []registry.Artifact{{Name: "scores.tsv", Digest: sum, Size: 1}})
	if err != nil || len(got) != 1 || got[0].Key != "runs/"+run.ID.String()+"/1/scores.tsv" || got[0].Put.Method != "PUT" {
		t.Fatalf("SignArtifacts = %+v, %v", got, err)
	}
	for _, name := range []string{"", "..", "a/b", "log.d", ".hidden", "Ä"} {
		_, err := b.SignArtifacts(t.Context(), run.ID, 1, []registry.Artifact{{Name: name, Digest: sum}})
		wantInvalid(t, "artifact "+name, err, "/artifacts/0/name")
	}
	_, err = b.SignArtifacts(t.Context(), run.ID, 1, []registry.Artifact{{Name: "a", Size: -1}})
	wantInvalid(t, "no digest", err, "/artifacts/0")
	_, err = b.SignArtifacts(t.Context(), run.ID, 1, make([]registry.Artifact, 101))
	wantInvalid(t, "too many", err, "at most")
}
