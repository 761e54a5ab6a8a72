package pgcatalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// endTimeout bounds COMMIT and ROLLBACK. No caller can interrupt them: a COMMIT cut short has an unknown outcome.
	endTimeout = 15 * time.Second
	// resolveFor bounds the repetition of a mutation whose COMMIT was not answered; a restart of the server fits in.
	resolveFor = 20 * time.Second
	// maxTries bounds the repetition of a mutation that was undone.
	maxTries = 10
)

// errUnanswered marks a COMMIT that was sent and not answered.
var errUnanswered = errors.New("commit outcome unknown")

// write runs fn in a transaction. It runs it again where the server took everything back, after a deadlock or a broken
// connection, and after a COMMIT without answer: then again is true, an earlier run may have taken effect, and fn must
// recognise its work.
func (c *Catalog) write(ctx context.Context, fn func(tx pgx.Tx, again bool) error) error {
	var open error // the first COMMIT without answer
	var since time.Time
	for try := 1; ; try++ {
		err := c.once(ctx, func(tx pgx.Tx) error { return fn(tx, open != nil) })
		if err == nil || !repeatable(err) {
			return err
		}
		if open == nil && errors.Is(err, errUnanswered) {
			open, since = err, time.Now()
		}
		if open != nil && time.Since(since) > resolveFor {
			return errors.Join(open, err)
		}
		if open == nil && try == maxTries {
			return err
		}
		c.log.WarnContext(ctx, "transaction repeated", "try", try, "error", err)
		if err := pause(ctx, try); err != nil {
			return errors.Join(open, err)
		}
	}
}

func (c *Catalog) once(ctx context.Context, fn func(tx pgx.Tx) error) error {
	tx, err := c.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return err
	}
	err = fn(tx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err != nil || ctx.Err() != nil {
		_ = tx.Rollback(ending) // a connection that cannot do it is closed, which does
		if err == nil {
			err = context.Cause(ctx)
		}
		return err
	}
	return commit(ending, tx)
}

// commit sorts errors into those that say that nothing happened and errUnanswered. pgconn.SafeToRetry does not help here:
// it is true of a connection that closed while the answer was awaited.
func commit(ctx context.Context, tx pgx.Tx) error {
	err := tx.Commit(ctx)
	if err == nil || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && !operator(pg) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnanswered, err)
}

// repeatable says that a transaction may well succeed when it is run again. Broken connections are among the reasons:
// the server rolls back what it did not get a COMMIT for.
func repeatable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "25P03": // serialization failure, deadlock, a transaction that waited for this process too long
			return true
		}
		// Two callers made the same move of a tag at the same moment: the second will see the first.
		return operator(pg) || pg.ConstraintName == "tag_history_op"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, errUnanswered) || pgconn.SafeToRetry(err) || errors.As(err, &connect) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded)
}

// operator is the kind of errors by which the server ends a session from outside, at whatever point of a COMMIT.
func operator(pg *pgconn.PgError) bool { return strings.HasPrefix(pg.Code, "57P") }

// pause waits a little longer after each try, at random so that rivals part.
func pause(ctx context.Context, try int) error {
	limit := 5 * time.Millisecond << min(try, 7)
	timer := time.NewTimer(limit/2 + rand.N(limit/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
