package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// drain is how long running requests may take after the server was told to stop.
const drain = 3 * time.Second

// errNotChild tells somebody who typed the hidden command.
var errNotChild = errors.New("the S3 gateway is started by signalbox itself, with its settings on standard input")

// settings is the one line that the parent writes to the child's standard input.
type settings struct {
	Dir       string `json:"dir"`
	Addr      string `json:"addr"`
	Region    string `json:"region"`
	Health    string `json:"health"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// ChildMain is the server: the program that Config names calls it with its standard input and exits when it returns. It
// serves until ctx ends or stdin is closed, which happens at the latest when the parent dies. It may be called once
// in a process, and changes the working directory.
func ChildMain(ctx context.Context, stdin io.Reader) error {
	in := json.NewDecoder(io.LimitReader(stdin, 1<<16))
	var s settings
	if err := in.Decode(&s); err != nil {
		return errors.Join(errNotChild, err)
	}
	be, err := posix.New(s.Dir, meta.XattrMeta{}, posix.PosixOpts{
		ValidateBucketNames: true,
		CopyObjectThreshold: 5 << 30, // 0 would refuse every copy
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", s.Dir, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process: nothing interrupts a read from standard input
		defer cancel()
		_, _ = io.Copy(io.Discard, stdin)
	}()
	done := make(chan error, 1)
	go func() { done <- embedgw.RunVersityGW(ctx, be, server(s)) }()
	select {
	case err = <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err = <-done:
		return err
	case <-time.After(drain): // idle connections would hold it much longer
		return nil
	}
}

func server(s settings) *embedgw.Config {
	return &embedgw.Config{
		RootUserAccess: s.AccessKey, RootUserSecret: s.SecretKey, Region: s.Region, Ports: []string{s.Addr},
		HealthPath: s.Health, Quiet: true, KeepAlive: true, DisableACLs: true,
		// Zero values are errors here.
		MaxConnections: 4096, MaxRequests: 2048, MultipartMaxParts: 10000,
	}
}
