package training

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// spread returns a run with so many workers whose first attempt has been submitted, and that attempt's token.
func (w *world) spread(workers int) (registry.RunID, string) {
	w.t.Helper()
	body := change(w.t, "compute_resource", fmt.Sprintf(`{"compute_resource":"CPU","workers":%d}`, workers))
	id := want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", body), http.StatusOK)
	if _, err := w.reg.QueueRun(w.t.Context(), id, "CPU"); err != nil {
		w.t.Fatal(err)
	}
	return id, w.jobToken(id, 1)
}

func joining(attempt, rank int, executor, address string) string {
	return fmt.Sprintf(`{"attempt":%d,"rank":%d,"executor":%q,"address":%q}`, attempt, rank, executor, address)
}

// joined joins and returns who has.
func (w *world) joined(id registry.RunID, token string, rank int, executor, address string) gathering {
	w.t.Helper()
	return want[gathering](w, w.do(token, "POST", "/v1/runs/"+id.String()+":join", joining(1, rank, executor, address)), http.StatusOK)
}

func TestWorkersLearnOfEachOther(t *testing.T) {
	w := newWorld(t)
	id, token := w.spread(3)
	for i, rank := range []int{2, 0} { // in whatever order they come
		got := w.joined(id, token, rank, fmt.Sprint("pod-", rank), "10.0.0.7:4000")
		if got.Joined != i+1 || got.Workers != 3 || got.Complete || len(got.Members) != 0 {
			t.Errorf("after %d: %+v", i+1, got)
		}
	}
	wanted := []peer{{0, "pod-0", "10.0.0.7:4000"}, {1, "pod-1", "[fd00::1]:0"}, {2, "pod-2", "10.0.0.7:4000"}}
	if got := w.joined(id, token, 1, "pod-1", "[fd00::1]:0"); !got.Complete || !slices.Equal(got.Members, wanted) {
		t.Errorf("once all have: %+v", got)
	}
	// A repeat is answered alike, and its address does not replace the one that others may know.
	if got := w.joined(id, token, 0, "pod-0", "10.0.0.9:1"); !got.Complete || !slices.Equal(got.Members, wanted) {
		t.Errorf("a repeat: %+v", got)
	}
}

func TestARankIsOnesOnly(t *testing.T) {
	w := newWorld(t)
	id, token := w.spread(2)
	w.joined(id, token, 1, "pod-1", "10.0.0.1:0")
	before := w.keys(registry.AttemptPrefix(id, 1))
	w.report(token, id, "join", joining(1, 1, "pod-1b", "10.0.0.2:0"), http.StatusConflict)
	if after := w.keys(registry.AttemptPrefix(id, 1)); !slices.Equal(before, after) {
		t.Errorf("the second one left %v", after)
	}
	if run := w.run(id); run.Executor != "" || run.State != registry.RunQueued {
		t.Errorf("another rank than 0 took the attempt: %+v", run)
	}
	// Rank 0 is the attempt's executor, and nobody else is.
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-0"}`, http.StatusOK)
	w.report(token, id, "join", joining(1, 0, "pod-0b", "10.0.0.3:4000"), http.StatusConflict)
	if got := w.joined(id, token, 0, "pod-0", "10.0.0.4:4000"); !got.Complete || got.Members[0].Address != "10.0.0.4:4000" {
		t.Errorf("rank 0: %+v", got)
	}
	for _, r := range w.allReports(id) {
		if status := w.by("pod-1", token, r[0], r[1], r[2]); status != http.StatusConflict {
			t.Errorf("%s %s by rank 1: %d, want 409", r[0], r[1], status)
		}
	}
}

// Of many executors that come at once each rank gets one.
func TestManyJoinAtOnce(t *testing.T) {
	w := newWorld(t)
	id, token := w.spread(2)
	var wg sync.WaitGroup
	var taken [2]atomic.Int32
	for i := range 16 {
		wg.Go(func() {
			body := joining(1, i%2, fmt.Sprint("pod-", i), "10.0.0.1:4000")
			if w.do(token, "POST", "/v1/runs/"+id.String()+":join", body).Code == http.StatusOK {
				taken[i%2].Add(1)
			}
		})
	}
	wg.Wait()
	if taken[0].Load() != 1 || taken[1].Load() != 1 {
		t.Errorf("ranks 0 and 1 were taken %d and %d times", taken[0].Load(), taken[1].Load())
	}
}

func TestJoinRefused(t *testing.T) {
	w := newWorld(t)
	id, token := w.spread(2)
	for body, pointer := range map[string]string{
		joining(1, 2, "pod", "10.0.0.1:4000"):                      "/rank",
		`{"attempt":1,"executor":"pod","address":"10.0.0.1:4000"}`: "/rank",
		joining(1, -1, "pod", "10.0.0.1:4000"):                     "/rank",
		joining(1, 1, "", "10.0.0.1:4000"):                         "/executor",
		joining(1, 1, "a b", "10.0.0.1:4000"):                      "/executor",
		joining(1, 1, strings.Repeat("x", 129), "10.0.0.1:4000"):   "/executor",
		joining(1, 1, "pod", ""):                                   "/address",
		joining(1, 1, "pod", "10.0.0.1"):                           "/address",
		joining(1, 1, "pod", "worker-1:4000"):                      "/address",
		joining(1, 1, "pod", "0.0.0.0:4000"):                       "/address",
		joining(1, 1, "pod", "[::]:4000"):                          "/address",
		joining(1, 1, "pod", "224.0.0.1:4000"):                     "/address",
		joining(1, 1, "pod", "[fe80::1%eth0]:4000"):                "/address",
		joining(1, 1, "pod", "10.0.0.1:65536"):                     "/address",
		joining(1, 0, "pod", "10.0.0.1:0"):                         "/address",
		joining(1, 1, "pod", strings.Repeat("1", 200)+".0.0.1:40"): "/address",
	} {
		p := want[problem](w, w.do(token, "POST", "/v1/runs/"+id.String()+":join", body), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v, want a fault at %s", body, p, pointer)
		}
	}
	w.report(token, id, "join", joining(2, 1, "pod", "10.0.0.1:0"), http.StatusForbidden)
	if keys := w.keys(registry.AttemptPrefix(id, 1)); len(keys) != 0 {
		t.Errorf("refused workers left %v", keys)
	}
}

func TestNobodyJoinsWhatIsOver(t *testing.T) {
	w := newWorld(t)
	id, token := w.spread(2)
	w.joined(id, token, 1, "pod-1", "10.0.0.1:0")
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-0"}`, http.StatusOK)
	fail := `{"attempt":1,"exception":{"type":"PeerError","retryable":true}}`
	if status := w.by("pod-0", token, "POST", "/v1/runs/"+id.String()+":fail", fail); status != http.StatusOK {
		t.Fatalf("fail: %d", status)
	}
	w.report(token, id, "join", joining(1, 1, "pod-1", "10.0.0.1:0"), http.StatusConflict)
	// The next attempt has its own members.
	token = w.jobToken(id, 2)
	if got := want[gathering](w, w.do(token, "POST", "/v1/runs/"+id.String()+":join", joining(2, 1, "pod-1b", "10.0.0.2:0")), 200); got.Joined != 1 {
		t.Errorf("second attempt: %+v", got)
	}
	if _, err := w.reg.CancelRun(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	w.report(token, id, "join", joining(2, 1, "pod-1b", "10.0.0.2:0"), http.StatusConflict)
}

func TestWorkersOfARequest(t *testing.T) {
	w := newWorld(t)
	for v, pointer := range map[string]string{
		`{"compute_resource":"CPU","workers":1}`: "", `{"compute_resource":"CPU","workers":512}`: "",
		`{"compute_resource":"CPU","workers":null}`: "",
		`{"compute_resource":"CPU","workers":0}`:    "/compute_resource/workers",
		`{"compute_resource":"CPU","workers":-1}`:   "/compute_resource/workers",
		`{"compute_resource":"CPU","workers":513}`:  "/compute_resource/workers",
		`{"compute_resource":"CPU","workers":1.5}`:  "/compute_resource/workers",
		`{"compute_resource":"CPU","workers":"2"}`:  "/compute_resource/workers",
		`{"workers":2}`: "/compute_resource/compute_resource",
	} {
		rec := w.do(w.tokens[auth.Trainer], "POST", "/train", change(t, "compute_resource", v))
		if pointer == "" {
			want[registry.RunID](w, rec, http.StatusOK)
			continue
		}
		if p := want[problem](w, rec, http.StatusUnprocessableEntity); len(p.Errors) != 1 || p.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v, want a fault at %s", v, p, pointer)
		}
	}
}
