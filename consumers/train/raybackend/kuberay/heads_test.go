//go:build linux

package kuberay_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// heads plays the heads of all Ray clusters: an HTTP proxy that answers for every host, with the jobs API as far as the
// operator uses it, and the words of Ray 2.60.
type heads struct {
	address string
	server  *http.Server
	done    chan struct{}

	mu     sync.Mutex
	jobs   map[string]*sent  // by namespace and name
	orders map[string]string // how they end
}

// sent is a job that the operator has sent.
type sent struct {
	Host, Authorization string
	Entrypoint          string            `json:"entrypoint"`
	ID                  string            `json:"submission_id"`
	RuntimeEnv          map[string]any    `json:"runtime_env"`
	Metadata            map[string]string `json:"metadata"`

	times   int
	status  string
	message string
}

func listen() (*heads, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &heads{address: l.Addr().String(), done: make(chan struct{}), jobs: map[string]*sent{}, orders: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/jobs/{$}", h.submit)
	mux.HandleFunc("GET /api/jobs/{id}", h.get)
	mux.HandleFunc("POST /api/jobs/{id}/stop", h.stop)
	h.server = &http.Server{Handler: mux}
	go func() {
		defer close(h.done)
		_ = h.server.Serve(l) // it ends by close
	}()
	return h, nil
}

func (h *heads) close() error {
	err := h.server.Close()
	<-h.done
	return err
}

// namespace of the head that a request is for: SERVICE.NAMESPACE.svc.cluster.local:8265.
func namespace(r *http.Request) string {
	parts := strings.Split(r.Host, ".")
	if len(parts) < 3 || !strings.HasSuffix(r.Host, ".svc.cluster.local:8265") {
		return ""
	}
	return parts[1]
}

func (h *heads) submit(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j := &sent{Host: r.Host, Authorization: r.Header.Get("x-ray-authorization"), status: "RUNNING", message: "Job is currently running."}
	if err := json.NewDecoder(r.Body).Decode(j); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := namespace(r) + "/" + j.ID
	if known := h.jobs[key]; known != nil {
		known.times++
		http.Error(w, "Please use a different submission_id.", http.StatusInternalServerError)
		return
	}
	j.times = 1
	h.jobs[key] = j
	answer(w, map[string]any{"job_id": j.ID, "submission_id": j.ID})
}

func (h *heads) get(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := namespace(r) + "/" + r.PathValue("id")
	j := h.jobs[key]
	if j == nil {
		http.Error(w, "Job "+r.PathValue("id")+" does not exist", http.StatusNotFound)
		return
	}
	switch order := h.orders[key]; order {
	case "":
	case "0":
		j.status, j.message = "SUCCEEDED", "Job finished successfully."
	default:
		j.status = "FAILED"
		j.message = "Job entrypoint command failed with exit code " + order + ", last available logs (truncated to 20,000 chars):\nsome line\n"
	}
	answer(w, map[string]any{
		"type": "SUBMISSION", "submission_id": j.ID, "status": j.status, "message": j.message, "entrypoint": j.Entrypoint,
		"start_time": 1, "metadata": j.Metadata, "runtime_env": j.RuntimeEnv,
	})
}

func (h *heads) stop(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer(w, map[string]any{"stopped": h.jobs[namespace(r)+"/"+r.PathValue("id")] != nil})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		fmt.Println("answer:", err)
	}
}

// end lets a job end with an exit status, now or once it runs. Ray gives a signal as a negative status.
func (h *heads) end(key string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.orders[key] = strconv.Itoa(status)
}

// job is what the operator sent; the zero value where it has sent nothing.
func (h *heads) job(key string) sent {
	h.mu.Lock()
	defer h.mu.Unlock()
	if j := h.jobs[key]; j != nil {
		return *j
	}
	return sent{}
}
