package remote_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestRunPageAsksForEverything(t *testing.T) {
	d := cas.Sum([]byte("d"))
	c := serve(t, "GET /v1/runs", func(r *http.Request, _ string) {
		want := "cursor=c&dataset=" + d.String() + "&limit=5&model=m&owner=o&package=" + d.String() +
			"&project=p+q&since=2026-03-01T11%3A00%3A00Z&state=failed&trainer=t&until=2026-03-01T12%3A00%3A00.5Z&workflow=w"
		if got := r.URL.RawQuery; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	}, text(200, `{"runs":[{"id":"`+runID+`"}],"next":"n"}`))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	page, err := c.RunPage(t.Context(), registry.RunFilter{
		Model: "m", Dataset: d, Package: d, Project: "p q", Owner: "o", Trainer: "t", Workflows: []string{"w"},
		States: []registry.RunState{registry.RunFailed}, Since: at, Until: at.Add(time.Hour + 500*time.Millisecond), Limit: 5,
	}, "c")
	if err != nil || page.Next != "n" || len(page.Runs) != 1 || page.Runs[0].ID.String() != runID {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestRetryRun(t *testing.T) {
	id, err := registry.ParseRunID(runID)
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, "POST /v1/runs/"+runID+":retry", func(r *http.Request, _ string) {
		if r.Header.Get("Idempotency-Key") != "k" {
			t.Errorf("got %v", r.Header)
		}
	}, text(201, `{"id":"9081e64f-b2c0-455e-bcaa-c1c211fa124c","retry_of":"`+runID+`"}`))
	if run, err := c.RetryRun(t.Context(), id, "k"); err != nil || run.RetryOf != id {
		t.Errorf("got %+v, %v", run, err)
	}
}
