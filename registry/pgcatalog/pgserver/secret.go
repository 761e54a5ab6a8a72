package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// secret is the password of User: what it shall be, and what the file of an earlier start says that it is.
type secret struct {
	file         string
	want, stored string
}

// readSecret takes the configured password, else the stored one, else a new one.
func readSecret(cfg Config, dir string) (secret, error) {
	s := secret{file: filepath.Join(dir, "password"), want: cfg.Password}
	b, err := os.ReadFile(s.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return secret{}, err
	}
	s.stored = string(b)
	if s.want == "" {
		s.want = s.stored
	}
	if s.want == "" {
		s.want = rand.Text()
	}
	return s, nil
}

// keep stores the password for the next start, by a rename so that a crash leaves the old or the new one.
func (s secret) keep() error {
	if s.stored == s.want {
		return nil
	}
	f, err := os.OpenFile(s.file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.want)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return rename(f.Name(), s.file)
}

// connect opens the server at url with the wanted password. Where only the stored one is right it is changed first.
func (s secret) connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.Database, cfg.Password = "postgres", s.want // Database may not be there yet
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if !isCode(err, "28P01") || s.stored == "" || s.stored == s.want {
		return conn, err
	}
	cfg.Password = s.stored
	old, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer old.Close(ctx)
	quoted, err := old.PgConn().EscapeString(s.want)
	if err != nil {
		return nil, err
	}
	if _, err := old.Exec(ctx, "ALTER ROLE "+User+" PASSWORD '"+quoted+"'"); err != nil {
		return nil, fmt.Errorf("change the password: %w", err)
	}
	cfg.Password = s.want
	return pgx.ConnectConfig(ctx, cfg)
}

func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
