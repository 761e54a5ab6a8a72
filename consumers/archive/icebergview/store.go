package icebergview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	icebergio "github.com/apache/iceberg-go/io"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// prefix is where the tables' metadata is. Nothing else is ever written or removed here.
const prefix = "iceberg/"

// errForeign reports an object that is no metadata of a table.
var errForeign = errors.New("not metadata of the archive's tables")

// store is the bucket as iceberg-go wants it, for one call: it lends its files the context of that.
type store struct {
	root   string
	get    func(key string) ([]byte, error)
	put    func(key string, body []byte) error
	remove func(key string) error
}

var _ icebergio.WriteFileIO = store{}

func (p *Publisher) store(ctx context.Context) store {
	return store{
		root: p.root(),
		get:  func(key string) ([]byte, error) { return p.get(ctx, key) },
		put: func(key string, body []byte) error {
			_, err := p.cfg.Bucket.Put(ctx, key, bytes.NewReader(body), int64(len(body)), bucket.PutOptions{CreateOnly: true, SHA256: cas.Sum(body)})
			return err
		},
		remove: func(key string) error { return p.cfg.Bucket.Delete(ctx, key) },
	}
}

func (p *Publisher) get(ctx context.Context, key string) ([]byte, error) {
	r, _, err := p.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return body, nil
}

// key takes the URL of an object apart.
func (s store) key(op, name string) (string, error) {
	key, ok := strings.CutPrefix(name, s.root)
	if !ok || !strings.HasPrefix(key, prefix) {
		return "", &fs.PathError{Op: op, Path: name, Err: errForeign}
	}
	return key, nil
}

// Open reads the whole object: metadata is small.
func (s store) Open(name string) (icebergio.File, error) {
	key, err := s.key("open", name)
	if err != nil {
		return nil, err
	}
	body, err := s.get(key)
	if errors.Is(err, bucket.ErrNotFound) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return object{bytes.NewReader(body), name}, nil
}

// Create returns a writer; the object is there once it is closed.
func (s store) Create(name string) (icebergio.FileWriter, error) {
	key, err := s.key("create", name)
	if err != nil {
		return nil, err
	}
	return &writer{end: func(body []byte) error { return s.put(key, body) }}, nil
}

// WriteFile stores p under a name that is not taken.
func (s store) WriteFile(name string, p []byte) error {
	key, err := s.key("write", name)
	if err != nil {
		return err
	}
	return s.put(key, p)
}

// Remove removes an object.
func (s store) Remove(name string) error {
	key, err := s.key("remove", name)
	if err != nil {
		return err
	}
	return s.remove(key)
}

// writer collects what is written.
type writer struct {
	bytes.Buffer
	end  func(body []byte) error
	done bool
}

// Close stores the object; once more does nothing.
func (w *writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.end(w.Bytes())
}

// object is an object that was read.
type object struct {
	*bytes.Reader
	name string
}

func (object) Close() error                 { return nil }
func (o object) Stat() (fs.FileInfo, error) { return o, nil }
func (o object) Name() string               { return o.name }
func (object) Mode() fs.FileMode            { return 0o444 }
func (object) ModTime() time.Time           { return time.Time{} }
func (object) IsDir() bool                  { return false }
func (object) Sys() any                     { return nil }
