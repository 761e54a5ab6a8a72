package kafkatest

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

//go:embed apache
var apacheFiles embed.FS

// Bounds of a start on a busy machine, and of a stop before the process is killed.
const (
	apacheStart = 3 * time.Minute
	apacheStop  = 10 * time.Second
)

// guard is the parent of the broker: it ends the broker when descriptor 3 closes, which happens when this process dies
// in whatever way. It passes SIGTERM on by being in the same process group.
const guard = `trap : TERM
"$@" 3<&- & child=$!
{ read -r _ <&3; kill -9 $child 2>/dev/null; } &
while kill -0 $child 2>/dev/null; do wait $child; done`

// Apache is a running Apache Kafka.
type Apache struct {
	addr   string
	cmd    *exec.Cmd
	alive  *os.File      // closing it ends the broker
	exited chan struct{} // closed when the process is gone
}

// StartApache starts a broker whose data and log are in dir. It needs java, and Maven the first time. Close it.
func StartApache(ctx context.Context, dir string) (*Apache, error) {
	return startApache(ctx, dir, apacheSetup{files: []string{"server.properties"}})
}

// apacheSetup is how one broker differs from another.
type apacheSetup struct {
	files  []string // joined to the broker's properties; the last word on a property counts
	fill   []string // what stands for more @NAMES@ in them
	format []string // more arguments for formatting
}

func startApache(ctx context.Context, dir string, setup apacheSetup) (*Apache, error) {
	ctx, cancel := context.WithTimeout(ctx, apacheStart)
	defer cancel()
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("apache kafka needs Java 17 or newer: apt-get install openjdk-17-jre-headless")
	}
	libs, err := apacheJars(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("apache kafka: %w", err)
	}
	addr, err := configureApache(dir, setup)
	if err != nil {
		return nil, fmt.Errorf("configure apache kafka: %w", err)
	}
	jvm := []string{"-Xmx256m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties"),
		"-Dkafka.logs.dir=" + dir, "-Dorg.xerial.snappy.tempdir=" + dir, "-DZstdTempFolder=" + dir, "-cp", filepath.Join(libs, "*")}
	if err := formatApache(ctx, java, jvm, dir, setup.format); err != nil {
		return nil, err
	}
	return runApache(ctx, dir, addr, append([]string{java}, append(jvm, "kafka.Kafka", filepath.Join(dir, "server.properties"))...))
}

// configureApache writes the configuration, with the ports of the last start where they are free.
func configureApache(dir string, setup apacheSetup) (addr string, err error) {
	clients, err := choosePort(filepath.Join(dir, "port.clients"))
	if err != nil {
		return "", err
	}
	controller, err := choosePort(filepath.Join(dir, "port.controller"))
	if err != nil {
		return "", err
	}
	fill := strings.NewReplacer(append(setup.fill, "@CLIENTS@", clients, "@CONTROLLER@", controller, "@DATA@", filepath.Join(dir, "data"))...)
	for name, files := range map[string][]string{"server.properties": setup.files, "log4j2.properties": {"log4j2.properties"}} {
		var text []byte
		for _, file := range files {
			b, err := apacheFiles.ReadFile("apache/" + file)
			if err != nil {
				return "", err
			}
			text = append(text, b...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(string(text))), 0o600); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort("127.0.0.1", clients), nil
}

// formatApache prepares the data directory once.
func formatApache(ctx context.Context, java string, jvm []string, dir string, more []string) error {
	if _, err := os.Stat(filepath.Join(dir, "data", "meta.properties")); err == nil {
		return nil
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	id[0] &= 0x7f // a cluster id must not look like an option
	args := append(jvm, "kafka.tools.StorageTool", "format", "--standalone", "-t", base64.RawURLEncoding.EncodeToString(id),
		"-c", filepath.Join(dir, "server.properties"))
	args = append(args, more...)
	if out, err := exec.CommandContext(ctx, java, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format apache kafka: %w\n%s", err, out)
	}
	return nil
}

// runApache starts the process in a group of its own and waits until it answers.
func runApache(ctx context.Context, dir, addr string, command []string) (*Apache, error) {
	log, err := os.Create(filepath.Join(dir, "kafka.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	guarded, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer guarded.Close()
	cmd := exec.Command("sh", append([]string{"-c", guard, "kafka"}, command...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{guarded}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start apache kafka: %w", err), alive.Close())
	}
	a := &Apache{addr: addr, cmd: cmd, alive: alive, exited: make(chan struct{})}
	go func() {
		defer close(a.exited)
		_ = cmd.Wait() // how it ended shows in its log
	}()
	if err := a.await(ctx); err != nil {
		a.Close()
		tail, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("apache kafka did not start: %w\n%s", err, tail[max(0, len(tail)-4000):])
	}
	return a, nil
}

// await polls until the broker answers.
func (a *Apache) await(ctx context.Context) error {
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: a.Config()})
	if err != nil {
		return err
	}
	defer adm.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := adm.Ping(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-a.exited:
			return errors.New("the process ended")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Config returns how to reach the broker.
func (a *Apache) Config() kafka.Config { return kafka.Config{Brokers: []string{a.addr}} }

// Addr returns host:port of the broker.
func (a *Apache) Addr() string { return a.addr }

// Kill ends the broker at once, as a crash would. Its directory can be started again.
func (a *Apache) Kill() {
	_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL) // already gone is as good
	<-a.exited
	_ = a.alive.Close()
	a.awaitPort()
}

// awaitPort waits until the port is free: the broker may hold it for a moment longer than its guard lives, and a start
// would choose another one.
func (a *Apache) awaitPort() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(apacheStop); time.Now().Before(end); <-tick.C {
		ln, err := net.Listen("tcp", a.addr)
		if err == nil {
			_ = ln.Close()
			return
		}
	}
}

// Close asks the broker to stop and kills it when that takes long.
func (a *Apache) Close() {
	_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-a.exited:
	case <-time.After(apacheStop):
	}
	a.Kill()
}

// choosePort returns the port that file remembers if it is free, else any free one.
func choosePort(file string) (string, error) {
	last, err := os.ReadFile(file)
	if err != nil {
		last = []byte("0")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+string(last))
	if err != nil {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	return port, os.WriteFile(file, []byte(port), 0o600)
}
