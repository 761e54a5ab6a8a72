package raybackend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

const (
	// preamble bounds what Ray writes into a log before the job does, in bytes.
	preamble = 64 << 10
	// logPatience is how long after a job's end its log is asked for although Ray cannot give it.
	logPatience = 2 * time.Minute
)

// Log implements train.Backend. While a job runs its launcher sends the log itself, and Ray can only send all of it; what
// is read here, once the job has ended, is what the launcher could not send any more.
func (b *Backend) Log(ctx context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error) {
	d, now, err := b.find(ctx, run, attempt)
	if err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, err)
	}
	if !d.ended() {
		return http.NoBody, nil
	}
	r, err := b.client.log(ctx, d)
	if statusOf(err) == http.StatusInternalServerError && d.age(now) >= 0 && now.Sub(time.UnixMilli(d.End)) > logPatience {
		// Its node is gone, or it wrote bytes that are no UTF-8, which Ray cannot read: it will not get better.
		b.cfg.Log.WarnContext(ctx, "end of the log is not to be had", "run_id", run, "attempt", attempt, "error", err)
		return http.NoBody, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, unknown(err, d.ID))
	}
	if _, err := io.CopyN(io.Discard, r, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("log of job %s/%d: %w", run, attempt, err), r.Close())
	}
	return r, nil
}

// log opens what the job itself wrote.
func (c *client) log(ctx context.Context, d details) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, "api/jobs/"+d.ID+"/logs", "", nil) //nolint:bodyclose // by whoever reads
	if err != nil {
		return nil, err
	}
	text, err := newTextReader(resp.Body)
	if err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	out := bufio.NewReaderSize(text, preamble)
	if err := skipPreamble(out, d); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{out, resp.Body}, nil
}

// skipPreamble drops what Ray wrote before the job did, so that offsets are those of the job's output. The log of a job that
// never ran is all Ray's, and says why.
func skipPreamble(r *bufio.Reader, d details) error {
	head, err := r.Peek(preamble)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	mark := []byte("Running entrypoint for job " + d.ID + ": " + d.Entrypoint + "\n")
	if i := bytes.Index(head, mark); i >= 0 {
		_, err = r.Discard(i + len(mark))
		return err
	}
	return nil
}
