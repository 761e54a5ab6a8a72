package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

const (
	remedySigned  = "holders of signed requests could store anything: do not hand them out from this server, replace it"
	remedySignGet = "signed reads fail: check that the endpoint is reachable under the name that the URL carries, and the clock"
)

const life = 5 * time.Minute

func checksOfSigner() []check {
	return []check{
		{"signed get", remedySignGet, (*run).signedGet},
		{"signed put works once", remedySigned, (*run).signedPut},
		{"signed put refuses other bytes", remedySigned, (*run).signedOther},
		{"signed put refuses dropped headers", remedySigned, (*run).signedDropped},
	}
}

func (r *run) signedGet(ctx context.Context) (string, error) {
	if _, err := r.put(ctx, "signed/get", "to be read", bucket.PutOptions{}); err != nil {
		return "", err
	}
	s, err := r.signer.SignGet(ctx, r.dir+"signed/get", life)
	if err != nil {
		return "", err
	}
	code, body, err := r.send(ctx, s, "")
	if err != nil {
		return "", err
	}
	if code != http.StatusOK || body != "to be read" {
		return "", fmt.Errorf("status %d, body %.80q", code, body)
	}
	return "read without credentials", nil
}

func (r *run) signedPut(ctx context.Context) (string, error) {
	const name, body = "signed/put", "to be stored"
	for _, want := range []int{http.StatusOK, http.StatusPreconditionFailed} {
		s, err := r.signPut(ctx, name, body)
		if err != nil {
			return "", err
		}
		code, answer, err := r.send(ctx, s, body)
		if err != nil {
			return "", err
		}
		if code != want {
			return "", fmt.Errorf("status %d, want %d: %.200s", code, want, answer)
		}
	}
	a, err := r.bucket.Stat(ctx, r.dir+name)
	if err != nil {
		return "", err
	}
	if a.SHA256 != sum(body) {
		return "", errors.New("stat does not return the signed SHA-256")
	}
	return "stored, then refused", r.holds(ctx, name, body, bucket.Range{})
}

func (r *run) signedOther(ctx context.Context) (string, error) {
	s, err := r.signPut(ctx, "signed/other", "to be stored")
	if err != nil {
		return "", err
	}
	return "refused, nothing stored", r.refused(ctx, "signed/other", s, "to be smuggl")
}

func (r *run) signedDropped(ctx context.Context) (string, error) {
	for _, name := range []string{"If-None-Match", "X-Amz-Checksum-Sha256"} {
		s, err := r.signPut(ctx, "signed/dropped", "to be stored")
		if err != nil {
			return "", err
		}
		if len(s.Header[name]) == 0 {
			return "", fmt.Errorf("%s is not among the signed headers", name)
		}
		delete(s.Header, name)
		if err = r.refused(ctx, "signed/dropped", s, "to be stored"); err != nil {
			return "", fmt.Errorf("without %s: %w", name, err)
		}
	}
	return "refused, nothing stored", nil
}

func (r *run) signPut(ctx context.Context, name, body string) (bucket.Signed, error) {
	return r.signer.SignPut(ctx, r.dir+name, sum(body), int64(len(body)), life)
}

// refused sends s and is nil if the answer is a refusal and nothing was stored.
func (r *run) refused(ctx context.Context, name string, s bucket.Signed, body string) error {
	code, _, err := r.send(ctx, s, body)
	if err != nil {
		return err
	}
	if code < 400 || code >= 500 {
		return fmt.Errorf("status %d, want a refusal", code)
	}
	return r.absent(ctx, name)
}

func (r *run) send(ctx context.Context, s bucket.Signed, body string) (int, string, error) {
	var in io.Reader
	if s.Method != http.MethodGet {
		in = strings.NewReader(body)
	}
	req, err := s.Request(ctx, in)
	if err != nil {
		return 0, "", err
	}
	answer, err := r.cfg.HTTPClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	return answer.StatusCode, string(text), err
}
