// Package miniotest starts MinIO for tests: a second S3 server, written by other people than the one that comes with
// Signalbox. It is only ever run as a process, never linked, as its license asks for.
package miniotest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/internal/child"
)

// Server is a running MinIO with random credentials.
type Server struct {
	Endpoint, AccessKey, SecretKey string
	process                        *child.Process
}

// Start starts MinIO on a free loopback port with its data in dir, building it first where this machine never did. Its
// output goes to log. The end of ctx after that does not stop it; the end of this process does.
func Start(ctx context.Context, dir string, log io.Writer) (*Server, error) {
	program, err := binary(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("start MinIO: %w", err)
	}
	s := &Server{AccessKey: "test" + rand.Text(), SecretKey: rand.Text()}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p, addr, err := child.Serve(ctx, child.Server{Health: "/minio/health/ready", Command: func(addr string) child.Config {
		return child.Config{
			Path: program, Args: []string{"server", "--quiet", "--address", addr, dir},
			Env: []string{
				"HOME=" + dir, "MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
				"MINIO_BROWSER=off", "MINIO_UPDATE=off",
			},
			Signal: os.Kill, // nothing in dir outlives the test
			Log:    log,
		}
	}}, "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start MinIO: %w", err)
	}
	s.Endpoint, s.process = "http://"+addr, p
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx) }

// Run starts MinIO for the duration of a test.
func Run(tb testing.TB) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), tb.TempDir(), tb.Output())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}
