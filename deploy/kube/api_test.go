//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAPI(t *testing.T) {
	testAPI(t, start(t, "api", t.TempDir()))
}

// testAPI shows that controllers and admission work without a node, and that a program that is killed comes back.
func testAPI(t *testing.T, r *running) {
	t.Helper()
	if r.Mode != "api" || r.NodeIP != "" || r.Containerd != "" || len(r.Pids) != 3 {
		t.Errorf("%+v, want three programs and no node", r.Up)
	}
	r.kubectl(t, job("hello", "localhost/job:1", "64Mi", "greet"), "create", "-f", "-")
	eventually(t, "the Job has a Pod", func() bool {
		return r.kubectl(t, "", "get", "pods", "-l", "job-name=hello", "-o", "name") != ""
	})

	r.kubectl(t, "", "create", "namespace", "strict")
	r.kubectl(t, "", "label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
	const rootPod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": {"containers": [{"name": "c", "image": "localhost/job:1"}]}}`
	if out, err := r.try(rootPod, "-n", "strict", "create", "-f", "-"); err == nil || !strings.Contains(out, "violates PodSecurity") {
		t.Errorf("a pod that may be root in a restricted namespace: %v, %s", err, out)
	}

	was := r.Pids["kube-apiserver"]
	if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var again struct {
		Restarted string
		Pid       int
	}
	if err := json.Unmarshal([]byte(r.line(t, 30*time.Second)), &again); err != nil || again.Restarted != "kube-apiserver" || again.Pid == was || again.Pid == 0 {
		t.Fatalf("%+v, %v, want the API server with another pid", again, err)
	}
	r.Pids["kube-apiserver"] = again.Pid
	eventually(t, "the API server answers again and knows the Job", func() bool {
		out, err := r.try("", "get", "jobs", "-o", "name", "--request-timeout", "2s")
		return err == nil && out == "job.batch/hello"
	})
	began := time.Now()
	r.end(t)
	t.Logf("ended in %s", time.Since(began).Round(time.Millisecond))
}

func TestUpSaysWhatIsWrong(t *testing.T) {
	used := t.TempDir()
	write(t, used+"/precious", "data")
	tests := map[string]struct {
		args []string
		want string
	}{
		"no directory":   {[]string{"up", "--mode", "api"}, "name a directory"},
		"unknown mode":   {[]string{"up", "--mode", "nodes", "--dir", t.TempDir()}, "want api, node or auto"},
		"not a cluster":  {[]string{"up", "--mode", "api", "--dir", used}, "holds something that is no cluster's"},
		"a space":        {[]string{"up", "--mode", "api", "--dir", used + "/a b"}, "no spaces"},
		"not a command":  {[]string{"down"}, "usage:"},
		"too many words": {[]string{"up", "node"}, "1 words beside its flags"},
		"no tag":         {[]string{"image", "build", "--root", used, "--name", "localhost/x", "--out", used + "/x.tar"}, "want something like"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := command(executable, tc.args...)
			stdin, err := cmd.StdinPipe() // open: its end would end the command
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v: %s, want an error with %q", err, out, tc.want)
			}
		})
	}
}
