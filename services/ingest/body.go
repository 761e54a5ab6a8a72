package ingest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

const (
	// maxRatio is how much larger than its gzip form a body may be; the first freeBytes do not count, because a few small
	// events that are alike pack better than any honest batch.
	maxRatio  = 100
	freeBytes = 256 << 10
)

var errRatio = errors.New("unpacks too well")

// read returns the body, unpacked, of at most limit bytes in either form. Memory is leased before it grows.
func read(w http.ResponseWriter, r *http.Request, limit int64, l *lease) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	packed := &counter{src: r.Body, limit: limit}
	switch strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))) {
	case "", "identity":
		b, err := fill(packed, limit, r.ContentLength+1, l)
		return b, unreadable(err, limit)
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, unreadable(err, limit)
		}
		b, err := fill(&unpacker{z: z, packed: packed}, limit, 4*r.ContentLength, l)
		return b, unreadable(err, limit)
	}
	w.Header().Set("Accept-Encoding", "gzip")
	return nil, unsupported("content encoding: send the body as it is or with gzip")
}

// errFull and errLarge end a read: there is no memory for more, or there is more than is taken.
var (
	errFull  = errors.New("no memory left")
	errLarge = errors.New("too large")
)

// fill reads src to its end into memory that it leases. hint is the size to begin with; what a client says of its size
// is worth no more than a small buffer.
func fill(src io.Reader, limit, hint int64, l *lease) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			size := min(max(int64(2*cap(buf)), min(max(hint, 512), 64<<10)), limit+1)
			if !l.take(size - int64(cap(buf))) {
				return nil, errFull
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, errLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// counter counts what it reads and stops beyond its limit.
type counter struct {
	src      io.Reader
	n, limit int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	if c.n += int64(n); c.n > c.limit {
		return n, errLarge
	}
	return n, err
}

// unpacker stops where the packed bytes so far cannot honestly mean so much.
type unpacker struct {
	z      *gzip.Reader
	packed *counter
	n      int64
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if u.n += int64(n); u.n > freeBytes+maxRatio*u.packed.n {
		return n, errRatio
	}
	return n, err
}

// unreadable says what is wrong with a body that was not read to its end.
func unreadable(err error, limit int64) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFull):
		return overloaded()
	case errors.Is(err, errLarge):
		return tooLarge(limit)
	case errors.Is(err, errRatio):
		return refuse(http.StatusRequestEntityTooLarge, "too_large",
			"the body is more than %d times its gzip form: send it with less compression", maxRatio)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "timeout", "the body did not arrive in time: send it again")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return malformed("the body is no gzip: %v", err)
	}
	return malformed("the body ended early or is damaged: send it again")
}
