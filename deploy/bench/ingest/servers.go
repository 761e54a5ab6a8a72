package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

const (
	topicOurs  = "events.flights" // of the example's stream
	topicBare  = "bench.bare"
	partitions = 4 // as that stream has
)

// serve starts `signalbox serve control` with the example's streams declared, and returns how to stop it.
func (b *bench) serve(ctx context.Context, name string, env ...string) (t target, stop func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	database, err := b.servers.NewDatabase(ctx, name)
	if err != nil {
		return t, nil, err
	}
	if err := b.servers.NewBucket(ctx, name); err != nil {
		return t, nil, err
	}
	dir := filepath.Join(b.dir, name)
	p, err := rig.Serve(ctx, rig.Serving{
		Program: b.program, Dir: dir, Roles: []string{"control"}, Servers: b.servers, Bucket: name, Database: database, Env: env,
	})
	if err != nil {
		return t, nil, err
	}
	stop = func() error { return p.Stop(time.Minute) }
	if err := b.declare(ctx, p, dir); err != nil {
		return t, nil, errors.Join(err, stop())
	}
	at, err := url.Parse(p.Control)
	if err != nil {
		return t, nil, errors.Join(err, stop())
	}
	return target{addr: at.Host, token: p.Token, pid: p.PID()}, stop, nil
}

// declare applies the example's streams.
func (b *bench) declare(ctx context.Context, p *rig.Process, dir string) error {
	text, err := flights.Specs.ReadFile("specs/stream.yaml")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "stream.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.program, "apply", "-f", file)
	cmd.Env = append(os.Environ(), "SIGNALBOX_URL="+p.Control, "SIGNALBOX_TOKEN="+p.Token)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("signalbox apply: %w\n%s", err, out)
	}
	return nil
}

// bare starts the denominator, and returns how to stop it.
func (b *bench) bare(ctx context.Context) (t target, stop func() error, err error) {
	if err := b.newTopic(ctx, topicBare); err != nil {
		return t, nil, err
	}
	cmd := exec.Command(b.self, partBare, b.servers.Kafka.Addr(), topicBare)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return t, nil, err
	}
	if err := cmd.Start(); err != nil {
		return t, nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return t, nil, errors.Join(err, stop())
	}
	if line == "" {
		return t, nil, errors.Join(errors.New("the bare server did not start"), stop())
	}
	return target{addr: strings.TrimSpace(line), token: "-", pid: cmd.Process.Pid}, stop, nil
}

// newTopic makes a topic as Signalbox makes those of streams.
func (b *bench) newTopic(ctx context.Context, name string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.servers.Kafka.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	stamp := "LogAppendTime"
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopics(ctx, name); err != nil {
		return err
	}
	_, err = adm.CreateTopic(ctx, partitions, 1, map[string]*string{"message.timestamp.type": &stamp}, name)
	return err
}
