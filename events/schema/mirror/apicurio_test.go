package mirror

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// apicurioVersion is of Apicurio Registry (Apache-2.0), an implementation of the API by others.
const apicurioVersion = "2.6.13.Final"

// guard ends the server when descriptor 3 closes, which happens when this process dies in whatever way.
const guard = `"$@" 3<&- & child=$!
{ read -r _ <&3; kill -9 $child 2>/dev/null; } &
wait $child`

// startApicurio runs a registry that keeps everything in memory, and returns the address of its API.
func startApicurio(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // the first time it is fetched
	defer cancel()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal("the registry needs Java 17 or newer: apt-get install openjdk-17-jre-headless")
	}
	home := apicurio(ctx, t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	guarded, alive, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer guarded.Close()
	cmd := exec.Command("sh", "-c", guard, "apicurio", java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", port), "-Djava.io.tmpdir="+dir,
		"-jar", filepath.Join(home, "apicurio-registry-app-"+apicurioVersion+"-runner.jar"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.ExtraFiles = []*os.File{guarded}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended shows in its log
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its whole group; it keeps nothing
		<-exited
		alive.Close()
	})
	url := fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", port)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get(url + "/subjects"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
		select {
		case <-tick.C:
			continue
		case <-exited:
		case <-ctx.Done():
		}
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the registry did not start: %s", text[max(0, len(text)-4000):])
	}
}

// apicurio returns the directory with the server. The first call of a machine fetches it with Maven; others wait for it.
func apicurio(ctx context.Context, t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(cache, "signalbox", "apicurio-"+apicurioVersion)
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(home, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	server := filepath.Join(home, "server")
	if _, err := os.Stat(server); err == nil {
		return server
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		t.Fatal("the registry is fetched with Maven: apt-get install maven")
	}
	work, err := os.MkdirTemp(home, "fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
	unpacked := filepath.Join(work, "server")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*exec.Cmd{
		exec.CommandContext(ctx, mvn, "-q", "-B", plugin, "-Dartifact=io.apicurio:apicurio-registry-app:"+apicurioVersion+":tar.gz:all",
			"-DoutputDirectory="+work),
		exec.CommandContext(ctx, "tar", "-xzf", filepath.Join(work, "apicurio-registry-app-"+apicurioVersion+"-all.tar.gz"), "-C", unpacked),
	} {
		c.Dir = work // where no pom.xml is
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("fetch the registry: %v\n%s", err, out)
		}
	}
	if err := os.Rename(unpacked, server); err != nil {
		t.Fatal(err)
	}
	return server
}
