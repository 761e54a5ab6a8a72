package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// endpoints are what a user of a deployment knows of it; the names are those of endpoints.json.
type endpoints struct {
	Control, Predict, Token, Kafka, Postgres string
	S3                                       struct {
		Endpoint, Region, Bucket string
		AccessKey                string `json:"access_key"`
		SecretKey                string `json:"secret_key"`
	}
}

// deployment is a running Signalbox.
type deployment struct {
	endpoints
	dir    string // of caches and jobs
	client *flights.Client
	serves map[string]func() // by role: starts the process with that role over, as after a crash
}

// bucket returns the deployment's object store, for looking behind the API.
func (d *deployment) bucket(t *testing.T) *s3bucket.Bucket {
	t.Helper()
	b, err := s3bucket.New(s3bucket.Config{
		Endpoint: d.S3.Endpoint, Region: d.S3.Region, Bucket: d.S3.Bucket, AccessKey: d.S3.AccessKey, SecretKey: d.S3.SecretKey,
		PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// environ is what the command line and the servers read.
func (d *deployment) environ() []string {
	return []string{
		"SIGNALBOX_URL=" + d.Control, "SIGNALBOX_PREDICT_URL=" + d.Predict, "SIGNALBOX_TOKEN=" + d.Token,
		"SIGNALBOX_DATABASE_URL=" + d.Postgres, "SIGNALBOX_KAFKA_BROKERS=" + d.Kafka, "SIGNALBOX_S3_ENDPOINT=" + d.S3.Endpoint,
		"SIGNALBOX_S3_REGION=" + d.S3.Region, "SIGNALBOX_S3_BUCKET=" + d.S3.Bucket, "SIGNALBOX_S3_ACCESS_KEY=" + d.S3.AccessKey,
		"SIGNALBOX_S3_SECRET_KEY=" + d.S3.SecretKey,
	}
}

// cli runs a command of the command line against the deployment, and returns what it printed.
func (d *deployment) cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), programs.signalbox, args...)
	cmd.Env = append(os.Environ(), d.environ()...)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("signalbox %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), complaint.String())
	}
	return out.String()
}

func (d *deployment) connect() {
	d.client = &flights.Client{
		Control: d.Control, Predict: d.Predict, Token: d.Token,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: time.Minute},
	}
}

// logFile keeps what servers print. It is shown where the test fails.
func logFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b, err := os.ReadFile(f.Name())
			t.Logf("%s (%v):\n%s", name, err, b[max(0, len(b)-20_000):])
		}
		_ = f.Close() // it was only written for the lines above
	})
	return f
}

// upArgs starts a stack on dir in which every port is a free one.
func upArgs(dir string) []string {
	return []string{"up", "--data", dir, "--python", python, "--archive-max-age", "1s", "--listen", "127.0.0.1:0",
		"--predict-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"}
}

// embedded starts `signalbox up`.
func embedded(t *testing.T) *deployment {
	t.Helper()
	d, stack := up(t, filepath.Join(t.TempDir(), "data"))
	t.Cleanup(func() {
		if err := stack.Stop(time.Minute); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return d
}

// up starts `signalbox up` on a directory, which may have the state of an earlier one.
func up(t *testing.T, dir string) (*deployment, *flights.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stack, err := flights.StartStack(ctx, dir, logFile(t, "up.log"), programs.signalbox, upArgs(dir)...)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if err == nil {
		err = json.Unmarshal(b, &d.endpoints)
	}
	if err != nil {
		t.Fatal(errors.Join(err, stack.Stop(time.Minute)))
	}
	d.connect()
	return d, stack
}

// real starts Apache Kafka, PostgreSQL and MinIO, and Signalbox on them as three processes with different roles.
func real(t *testing.T) *deployment { return realAt(t, "127.0.0.1", "") }

// realAt is a real deployment whose control plane and object store are reached at host, with a configuration file.
func realAt(t *testing.T, host, config string) *deployment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	broker, err := kafkatest.StartApache(ctx, filepath.Join(t.TempDir(), "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	db, err := pgserver.Start(ctx, pgserver.Config{Dir: databaseDir(t), Fast: true, Log: logFile(t, "postgres.log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	store := miniotest.Run(t)
	d := &deployment{dir: t.TempDir(), serves: map[string]func(){}}
	d.Kafka, d.Postgres = broker.Addr(), db.URL()
	d.S3.Endpoint = forward(t, host, store.Endpoint)
	d.S3.AccessKey, d.S3.SecretKey, d.S3.Bucket, d.S3.Region = store.AccessKey, store.SecretKey, "signalbox", "us-east-1"
	if err := d.bucket(t).EnsureBucket(ctx); err != nil {
		t.Fatal(err)
	}
	d.Control, d.Predict = "http://"+freeAddr(t, host), "http://"+freeAddr(t, "127.0.0.1")
	more := []string{"--tokens", d.credentials(t)}
	if config != "" {
		more = append(more, "--config", config)
	}
	for i, roles := range [][]string{{"control", "archive"}, {"generate", "train", "evaluate"}, {"predict"}} {
		serve(t, d, more, i, roles)
	}
	d.connect()
	return d
}

// databaseDir is a directory that the user postgres can reach where the test runs as root.
func databaseDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "signalbox-e2e-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays is in the system's folder of temporary files
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// credentials makes an administrator's token with the command line, and returns the file for the servers.
func (d *deployment) credentials(t *testing.T) string {
	t.Helper()
	var made struct {
		Token string
		Entry json.RawMessage
	}
	if err := json.Unmarshal([]byte(d.cli(t, "token", "new", "--name", "test", "--role", "admin", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	d.Token = made.Token
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, fmt.Appendf(nil, "[%s]", made.Entry), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts one process with some roles and waits until it is ready.
func serve(t *testing.T, d *deployment, more []string, n int, roles []string) {
	t.Helper()
	name := "serve-" + strings.Join(roles, "-")
	args := append(append([]string{"serve"}, roles...), "--data", filepath.Join(d.dir, name),
		"--archive-max-age", "1s", "--python", python,
		"--listen", strings.TrimPrefix(d.Control, "http://"), "--predict-listen", strings.TrimPrefix(d.Predict, "http://"))
	host, _, _ := net.SplitHostPort(strings.TrimPrefix(d.Control, "http://"))
	env := append(append(os.Environ(), d.environ()...), "SIGNALBOX_RUN_KEY=0123456789abcdef0123456789abcdef", "SIGNALBOX_HOSTS="+host)
	log := logFile(t, name+".log")
	var cmd *exec.Cmd
	var exited chan error
	start := func() {
		cmd = exec.Command(programs.signalbox, append(args, more...)...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited = make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
	}
	start()
	for _, role := range roles {
		d.serves[role] = func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own complaint comes at the end
			<-exited
			start()
		}
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that is gone is reported below
		select {
		case err := <-exited:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s did not stop", name)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-exited
		}
	})
	url := map[int]string{0: d.Control, 2: d.Predict}[n]
	if url == "" {
		return // it has no listener: what it does shows
	}
	await(t, time.Minute, name+" to be ready", func() (bool, error) {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false, nil
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

// await polls until f says true.
func await(t *testing.T, bound time.Duration, what string, f func() (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("wait for %s: not within %s (%v)", what, bound, err)
		case <-tick.C:
		}
	}
}

// apply declares documents with the command line.
func (d *deployment) apply(t *testing.T, documents string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "documents.yaml")
	if err := os.WriteFile(path, []byte(documents), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cli(t, "apply", "-f", path)
}
