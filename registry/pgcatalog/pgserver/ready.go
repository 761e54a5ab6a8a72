package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ready waits until the server takes connections and has the database, or has ended.
func (s *Server) ready(ctx context.Context, data string, pw secret) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready within %v", startTimeout))
	defer cancel()
	// Whoever has our port may accept and say nothing: do not wait for an answer once the server has ended.
	visiting, give := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-s.proc.done:
			give()
		case <-visiting.Done():
		}
	})
	defer watch.Wait()
	defer give()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.visit(visiting, data, pw)
		if err == nil {
			return nil
		}
		if isCode(err, "28P01") {
			return fmt.Errorf("role %s has another password than %s and the configuration say: %w", User, pw.file, err)
		}
		select {
		case <-s.proc.done:
			return cmp.Or(s.proc.exit(), err)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// visit connects once, makes sure that it is our server that answers, and adds the database.
func (s *Server) visit(ctx context.Context, data string, pw secret) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pw.connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var dir string
	var made bool
	err = conn.QueryRow(ctx, `SELECT current_setting('data_directory'), EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`,
		Database).Scan(&dir, &made)
	if err != nil {
		return err
	}
	if dir != data {
		return fmt.Errorf("another server answers there, for %s", dir)
	}
	if !made {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{Database}.Sanitize())
	}
	return err
}
