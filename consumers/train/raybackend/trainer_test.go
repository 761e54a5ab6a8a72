package raybackend_test

import (
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend"
	"github.com/signalbox-ml/signalbox/registry"
)

const trainer = "../../../services/trainer"

// trainerPython is an environment with what models need. Ray is not in it: the launcher and what it runs need none.
func trainerPython(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), trainer+"/setup-env.sh")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("environment of the trainer: %v", err)
	}
	return strings.TrimSpace(string(out))
}

type told struct {
	Starts []struct {
		Executor string `json:"executor"`
	} `json:"starts"`
	Completed []json.RawMessage `json:"completed"`
	Failed    []json.RawMessage `json:"failed"`
	Packages  []string          `json:"packages"`
	Log       string            `json:"log"`
}

// TestRealJob trains a model: the real launcher and runner, uploaded to a real Ray.
func TestRealJob(t *testing.T) {
	t.Parallel()
	c, python := useCluster(t), trainerPython(t)
	plane := exec.CommandContext(t.Context(), python, "testdata/plane.py", trainer, "http://127.0.0.1:8000")
	plane.Stderr = os.Stderr
	stdin, err := plane.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := plane.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.Start(); err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(stdout)
	var offer struct {
		Address string            `json:"address"`
		Spec    json.RawMessage   `json:"spec"`
		Files   map[string]string `json:"files"`
	}
	if err := answers.Decode(&offer); err != nil {
		t.Fatal(err)
	}
	c.forward(t, offer.Address)

	address, _ := c.dashboard(t)
	b := newBackend(t, c, address, func(cfg *raybackend.Config) {
		cfg.Python, cfg.Source = python, os.DirFS(trainer+"/src")
	})
	j := train.Job{Attempt: 1, Spec: offer.Spec, Files: offer.Files, ComputeClass: "CPU", Model: "flight-delay"}
	var doc struct {
		Run registry.RunID `json:"run_id"`
	}
	if err := json.Unmarshal(offer.Spec, &doc); err != nil {
		t.Fatal(err)
	}
	j.Run = doc.Run
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	st := awaitEnd(t, b, j)
	atRay := readLog(t, b, j)
	if st.Phase != train.PhaseSucceeded {
		t.Fatalf("status %+v\n%s", st, atRay)
	}
	var heard told
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := answers.Decode(&heard); err != nil {
		t.Fatal(err)
	}
	if err := plane.Wait(); err != nil {
		t.Error(err)
	}
	if len(heard.Starts) == 0 || heard.Starts[0].Executor == "" || len(heard.Completed) != 1 || len(heard.Failed) != 0 || len(heard.Packages) != 1 {
		t.Errorf("control plane heard %+v", heard)
	}
	if heard.Log != atRay || heard.Log == "" {
		t.Errorf("the launcher sent\n%q, Ray has\n%q: an offset would mean another place", heard.Log, atRay)
	}
}

// forward passes what jobs send to a control plane.
func (c *cluster) forward(t *testing.T, address string) {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plane = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it goes into addresses that jobs are given
	}}
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.plane = http.NotFoundHandler()
	})
}
