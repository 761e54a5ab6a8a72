//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/image"
	"github.com/signalbox-ml/signalbox/deploy/kube/internal/rootfs"
)

// TestNode runs pods for real: to completion under an image's digest, and beyond their memory.
func TestNode(t *testing.T) {
	before := tracesAlone(t)
	r := startNode(t, t.TempDir())
	if r == nil {
		return
	}
	img, trainer := loadJob(t, r), loadTrainer(t, r)
	r.kubectl(t, job("greet", img, "64Mi", "greet")+"\n"+job("eat", img, "64Mi", "eat"), "create", "-f", "-")
	r.kubectl(t, "", "wait", "--for=condition=complete", "job/greet", "--timeout=40s")
	if said := r.kubectl(t, "", "logs", "job/greet"); said != "hello from user 65532" {
		t.Errorf("the pod said %q", said)
	}
	r.kubectl(t, "", "wait", "--for=condition=failed", "job/eat", "--timeout=40s")
	why := r.kubectl(t, "", "get", "pods", "-l", "job-name=eat", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.terminated.reason}")
	if why != "OOMKilled" {
		t.Errorf("the pod that took too much memory ended as %q", why)
	}
	const imports = "import lightgbm, pandas, pyarrow.parquet, scipy.sparse, signalbox.runner; print('imported')"
	r.kubectl(t, job("trainer", trainer, "512Mi", "-c", imports), "create", "-f", "-")
	r.kubectl(t, "", "wait", "--for=condition=complete", "job/trainer", "--timeout=40s")
	if said := r.kubectl(t, "", "logs", "job/trainer"); said != "imported" {
		t.Errorf("the trainer said %q", said)
	}
	// 3 is an address that somebody has set: the kernel leaves it alone when ports come and go.
	if kind, err := os.ReadFile("/sys/class/net/signalbox0/addr_assign_type"); err != nil || strings.TrimSpace(string(kind)) != "3" {
		t.Errorf("the address of the bridge is of type %q (%v) and may change under the pods", kind, err)
	}
	r.end(t)
	if after := tracesAlone(t); after != before {
		t.Errorf("the machine was\n%s\nand is\n%s", before, after)
	}
}

// TestNodeTakesBackWhatAKilledOneLeft kills the whole thing with a pod in flight: its container and mounts survive.
func TestNodeTakesBackWhatAKilledOneLeft(t *testing.T) {
	before := tracesAlone(t)
	dir := t.TempDir()
	r := startNode(t, dir)
	if r == nil {
		return
	}
	r.kubectl(t, job("wait", loadJob(t, r), "64Mi", "wait"), "create", "-f", "-")
	eventually(t, "the pod runs", func() bool {
		return r.kubectl(t, "", "get", "pods", "-o", "jsonpath={.items[*].status.phase}") == "Running"
	})
	if !strings.Contains(traces(t), "containerd-shim") {
		t.Fatal("no process of a container: this test tests nothing")
	}
	if err := syscall.Kill(r.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait()
	for name, pid := range r.Pids {
		eventually(t, name+" died with its parent", func() bool { return !alive(pid) })
	}
	startNode(t, dir).end(t)
	if after := tracesAlone(t); after != before {
		t.Errorf("the machine was\n%s\nand is\n%s", before, after)
	}
}

// startNode starts a node, or tests what is possible where the machine cannot, and returns nil.
func startNode(t *testing.T, dir string) *running {
	t.Helper()
	r := start(t, "auto", dir)
	if r.Mode == "node" {
		return r
	}
	t.Logf("ATTENTION: this machine cannot run a node, so only the API is tested. kube up says why:\n%s", r.said())
	testAPI(t, r)
	return nil
}

// loadJob gives the program of the tests to the node and returns its image by digest.
func loadJob(t *testing.T, r *running) string {
	t.Helper()
	root, archive := t.TempDir(), filepath.Join(t.TempDir(), "job.tar")
	for _, args := range [][]string{
		{"go", "build", "-ldflags", "-s -w", "-o", root + "/job", "./testdata/job"},
		{executable, "image", "build", "--root", root, "--name", "localhost/job:1", "--out", archive, "--user", "65532:65532", "--entrypoint", "/job"},
	} {
		if out, err := command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	var loaded image.Image
	ask(t, &loaded, executable, "image", "load", "--socket", r.Containerd, archive)
	return loaded.Reference
}

// loadTrainer makes the trainer's image of the environment of jobs and returns it by digest.
func loadTrainer(t *testing.T, r *running) string {
	t.Helper()
	out, err := command("../../services/trainer/setup-env.sh").Output()
	if err != nil {
		t.Fatalf("environment of jobs: %v", err)
	}
	dir := t.TempDir()
	var made rootfs.Made
	ask(t, &made, executable, "rootfs", "python", "--python", strings.TrimSpace(string(out)), "--source", "../../services/trainer/src", "--out", dir+"/root")
	t.Logf("root file system: %d files, %d bytes in %.1f s", made.Files, made.Bytes, made.Seconds)
	args := []string{"image", "build", "--root", dir + "/root", "--name", "localhost/trainer:1", "--out", dir + "/trainer.tar", "--user", "65532:65532", "--entrypoint", made.Python}
	for _, line := range made.Env {
		args = append(args, "--env", line)
	}
	var built, loaded image.Image
	ask(t, &built, executable, args...)
	ask(t, &loaded, executable, "image", "load", "--socket", r.Containerd, dir+"/trainer.tar")
	if built != loaded {
		t.Errorf("built %+v and loaded %+v", built, loaded)
	}
	return loaded.Reference
}

// ask runs a command that must work and reads the JSON that it prints.
func ask(t *testing.T, v any, name string, args ...string) {
	t.Helper()
	cmd := command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatal(err)
	}
}

// tracesAlone returns the traces of a moment in which no other node runs on the machine: those of other tests may, before
// and after ours.
func tracesAlone(t *testing.T) string {
	t.Helper()
	lock, err := os.Open("/run/signalbox-kube/lock")
	if err != nil {
		return traces(t) // there was never a node, or we are not root
	}
	defer lock.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(12 * time.Minute); time.Now().Before(end); <-tick.C {
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return traces(t)
		}
	}
	t.Fatal("another node of this machine does not end")
	return ""
}

// traces tells what a node changes of the machine: the network, iptables, cgroups, mounts, settings and processes.
func traces(t *testing.T) string {
	t.Helper()
	var all []string
	for _, pattern := range []string{
		"/sys/class/net/*", "/sys/fs/cgroup/signalbox-kube", "/sys/fs/cgroup/*/signalbox-kube", "/run/signalbox-kube/state.json", "/run/containerd/s/*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	for _, name := range []string{"net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"} {
		b, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name+" = "+strings.TrimSpace(string(b)))
	}
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && strings.Contains(f[1], "TestNode") {
			all = append(all, "mount "+f[1])
		}
	}
	rules, _ := exec.Command("/usr/sbin/iptables-save").Output() // a machine that cannot run a node may have none
	for _, line := range strings.Split(string(rules), "\n") {
		if strings.HasPrefix(line, ":KUBE-") || strings.HasPrefix(line, ":CNI-") {
			all = append(all, line)
		}
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), "TestNode") && strings.Contains(string(b), "containerd") {
			all = append(all, "process "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return strings.Join(all, "\n")
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
