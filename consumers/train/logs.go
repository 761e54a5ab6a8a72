package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// maxChunk bounds one object of a live log, in bytes.
const maxChunk = 1 << 20

const logType = "text/plain; charset=utf-8"

// readWithin bounds one read of a job's output: of a large one from a slow store, as Ray's head is, or of a node that is silent.
const readWithin = 30 * time.Second

// errUnread is a backend that does not hand out what a job has written.
var errUnread = errors.New("log not readable")

// tail is how far the copy of a live log has come: chunks 0 to next-1 hold bytes 0 to offset.
type tail struct {
	found  bool // the chunks of an earlier process were counted
	next   int
	offset int64
}

// LogChunkKey is the bucket key of the n-th piece of an attempt's live log.
func LogChunkKey(id registry.RunID, attempt, n int) string {
	return fmt.Sprintf("%s%s/%08d", registry.AttemptPrefix(id, attempt), registry.LogDir, n)
}

// logArtifact names the whole log, which stands at its key once the attempt is over.
func (m *Machine) logArtifact(at Attempt) map[string]string {
	return map[string]string{registry.ArtifactLogs: logKey(at)}
}

func logKey(at Attempt) string { return registry.ArtifactKey(at.Run, at.N, registry.ArtifactLogs) }

// copyLog puts what the job has written since the last copy, as one or more chunks.
func (m *Machine) copyLog(ctx context.Context, at Attempt, j *job) error {
	t := &j.tail
	if j.backend == nil {
		return nil
	}
	if err := m.findTail(ctx, at, t); err != nil {
		return err
	}
	for t.offset < m.cfg.MaxLog {
		chunk, err := readLog(ctx, j.backend, at, t.offset, min(maxChunk, m.cfg.MaxLog-t.offset))
		if err != nil || len(chunk) == 0 {
			return err
		}
		key := LogChunkKey(at.Run, at.N, t.next)
		size := int64(len(chunk))
		_, err = m.cfg.Bucket.Put(ctx, key, bytes.NewReader(chunk), size, bucket.PutOptions{CreateOnly: true, ContentType: logType})
		if errors.Is(err, bucket.ErrExists) {
			// An earlier put got through without an answer, perhaps with fewer bytes.
			attrs, err := m.cfg.Bucket.Stat(ctx, key)
			if err != nil {
				return fmt.Errorf("log chunk: %w", err)
			}
			size = attrs.Size
		} else if err != nil {
			return fmt.Errorf("log chunk: %w", err)
		}
		t.next, t.offset = t.next+1, t.offset+size
	}
	return nil
}

// tryLog is copyLog where a log that cannot be copied now must not keep the run from moving.
func (m *Machine) tryLog(ctx context.Context, at Attempt, j *job) {
	if err := m.copyLog(ctx, at, j); err != nil {
		m.cfg.Log.WarnContext(ctx, "log not copied", "run_id", at.Run, "attempt", at.N, "error", err)
	}
}

// findTail counts the chunks that are there, once.
func (m *Machine) findTail(ctx context.Context, at Attempt, t *tail) error {
	if t.found {
		return nil
	}
	var n tail
	for attrs, err := range m.cfg.Bucket.List(ctx, registry.AttemptPrefix(at.Run, at.N)+registry.LogDir+"/") {
		if err != nil {
			return fmt.Errorf("log chunks: %w", err)
		}
		n.next, n.offset = n.next+1, n.offset+attrs.Size
	}
	n.found, *t = true, n
	t.found = true
	return nil
}

// readLog reads at most limit bytes of the job's output. A job that is gone has none.
func readLog(ctx context.Context, b Backend, at Attempt, offset, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	r, err := b.Log(ctx, at.Run, at.N, offset)
	if errors.Is(err, ErrNoJob) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	return out, nil
}

func (m *Machine) hasLog(ctx context.Context, at Attempt) (bool, error) {
	_, err := m.cfg.Bucket.Stat(ctx, logKey(at))
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// keepLog puts the whole log of an attempt that is over, made of its chunks: they outlive the job.
func (m *Machine) keepLog(ctx context.Context, at Attempt) error {
	f, err := os.CreateTemp("", "signalbox-log-*")
	if err != nil {
		return fmt.Errorf("keep log: %w", err)
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }() // scratch
	for attrs, err := range m.cfg.Bucket.List(ctx, registry.AttemptPrefix(at.Run, at.N)+registry.LogDir+"/") {
		if err != nil {
			return fmt.Errorf("keep log: %w", err)
		}
		if err := m.appendObject(ctx, f, attrs.Key); err != nil {
			return fmt.Errorf("keep log: %w", err)
		}
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("keep log: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keep log: %w", err)
	}
	_, err = m.cfg.Bucket.Put(ctx, logKey(at), f, size, bucket.PutOptions{CreateOnly: true, ContentType: logType})
	if err != nil && !errors.Is(err, bucket.ErrExists) {
		return fmt.Errorf("keep log: %w", err)
	}
	return nil
}

func (m *Machine) appendObject(ctx context.Context, w io.Writer, key string) error {
	r, _, err := m.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
