package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// victim is a stack that is killed again and again, and started again on the same directory.
type victim struct {
	dir      string
	log      *os.File // of every start
	rng      *rand.Rand
	fixed    []string // addresses of flags, for the starts that keep them
	exchange *exchange
	orphans  *orphanage

	stack    *flights.Stack
	launched time.Time
	silent   int64         // size of the log at the launch
	slowest  time.Duration // of all starts
	buried   time.Duration // the longest that an orphan lived
	endpoints
}

// listens are the flags that say where the stack listens.
var listens = []string{"--listen", "--predict-listen", "--kafka-listen", "--s3-listen"}

func newVictim(t *testing.T, rng *rand.Rand) *victim {
	t.Helper()
	v := &victim{dir: filepath.Join(openDir(t), "data"), rng: rng, exchange: &exchange{}, orphans: openOrphanage(t)}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v.log = logFile(t, "up.log")
	for range listens {
		v.fixed = append(v.fixed, steadyAddr(t, rng))
	}
	t.Cleanup(func() {
		if v.stack != nil {
			_ = v.stack.Kill() // the test has failed before it could stop it
		}
	})
	return v
}

// openDir is a directory that the user of PostgreSQL can reach where the test runs as root.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// steadyAddr is a free address below the ports that systems give to clients, so that nobody gets it between two starts.
func steadyAddr(t *testing.T, rng *rand.Rand) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 15_000+rng.IntN(15_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close() // it was only to see that it can be had
			return addr
		}
	}
	t.Fatal("no free port between 15000 and 30000")
	return ""
}

// launch starts the stack, on the addresses of the start before or on new ones, and does not wait for it.
func (v *victim) launch(t *testing.T) {
	t.Helper()
	args := []string{"up", "--data", v.dir, "--python", python, "--archive-max-age", "500ms"}
	same := v.rng.IntN(2) == 0
	for i, flag := range listens {
		addr := "127.0.0.1:0"
		if same {
			addr = v.fixed[i]
		}
		args = append(args, flag, addr)
	}
	info, err := v.log.Stat()
	if err != nil {
		t.Fatal(err)
	}
	v.silent = info.Size()
	if v.stack, err = flights.LaunchStack(v.dir, v.log, programs.signalbox, args...); err != nil {
		t.Fatal(err)
	}
	v.launched = time.Now()
}

// slowStart is from when on a start is worth a look: most are done within three seconds.
const slowStart = 8 * time.Second

// ready waits until everything answers, and sends the producers there.
func (v *victim) ready(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := v.stack.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	took := time.Since(v.launched)
	if v.slowest = max(v.slowest, took); took > slowStart {
		t.Logf("a start of %s:\n%s", took, v.said(t))
	}
	b, err := os.ReadFile(filepath.Join(v.dir, "endpoints.json"))
	if err == nil {
		v.endpoints = endpoints{}
		err = json.Unmarshal(b, &v.endpoints)
	}
	if err != nil {
		t.Fatal(err)
	}
	v.exchange.connect(v.endpoints)
}

// kill ends the process as kill -9 does. With everything, its children go at the same moment, as with a container;
// otherwise they have to notice, while the next start is under way.
func (v *victim) kill(t *testing.T, everything bool) {
	t.Helper()
	if err := v.stack.Kill(); err != nil {
		t.Fatalf("the stack ended before it was killed: %v", err)
	}
	killed := time.Now()
	v.stack = nil
	if !everything {
		return
	}
	// PostgreSQL's children come to us once their parent is dead.
	for left := v.orphans.orphans(0); len(left) > 0; left = v.orphans.orphans(0) {
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have ended just now
		}
		if time.Since(killed) > 10*time.Second {
			t.Fatalf("these survive SIGKILL: %v", left)
		}
	}
}

// mourningTime is how long children may live on without their parent: PostgreSQL writes its memory down first.
const mourningTime = 20 * time.Second

// mourn fails where what a killed stack left behind does not end. The next stack runs already.
func (v *victim) mourn(t *testing.T, killed time.Time) {
	t.Helper()
	pid := 0
	if v.stack != nil {
		pid = v.stack.Pid()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := v.orphans.orphans(pid)
		if len(left) == 0 {
			v.buried = max(v.buried, time.Since(killed))
			return
		}
		if time.Since(killed) > mourningTime {
			t.Fatalf("%s after kill -9 of the stack its children still live: %v", mourningTime, left)
		}
		<-tick.C
	}
}

// stop ends the last stack in peace.
func (v *victim) stop(t *testing.T) {
	t.Helper()
	s := v.stack
	v.stack = nil
	if err := s.Stop(time.Minute); err != nil {
		t.Errorf("stop: %v", err)
	}
	v.mourn(t, time.Now())
}

// apply declares specs with the command line.
func (v *victim) apply(t *testing.T, specs string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), programs.signalbox, "apply", "--data", v.dir, "-f", specs)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("signalbox apply: %v\n%s", err, out)
	}
}

// said returns what the stack has printed since its launch.
func (v *victim) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(v.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b[min(v.silent, int64(len(b))):])
}

// hasChild reports whether the stack runs a program.
func (v *victim) hasChild(name string) bool {
	for _, p := range childrenOf(v.stack.Pid()) {
		// The kernel keeps 15 bytes of a name; Python's may end with a version.
		if !p.dead && (strings.HasPrefix(name, p.name) || strings.HasPrefix(p.name, name)) {
			return true
		}
	}
	return false
}
