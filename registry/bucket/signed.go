package bucket

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Request returns the HTTP request that s stands for. A write takes its body from body; its length is the signed one.
func (s Signed) Request(ctx context.Context, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, s.Method, s.URL, body)
	if err != nil {
		return nil, fmt.Errorf("make the signed request: %w", err)
	}
	for name, values := range s.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if n := r.Header.Get("Content-Length"); n != "" {
		r.Header.Del("Content-Length") // net/http sends the field, not the header
		if r.ContentLength, err = strconv.ParseInt(n, 10, 64); err != nil {
			return nil, fmt.Errorf("make the signed request: content length %q: %w", n, err)
		}
		if r.ContentLength == 0 {
			r.Body = http.NoBody
		}
	}
	return r, nil
}
