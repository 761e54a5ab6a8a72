package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Files is what a server needs to serve a package besides its manifest.
type Files struct {
	Files []registry.SignedFile `json:"files"`
	// Model is the model that the package was published for first.
	Model  registry.ModelName `json:"model"`
	Policy Policy             `json:"policy"`
}

// Policy is what the model's spec says about its predictions.
type Policy struct {
	// LogInputs keeps the rows in prediction.made events.
	LogInputs bool `json:"log_inputs"`
}

// Package returns the exact bytes of a package's manifest, checked against its id.
func (c *Client) Package(ctx context.Context, id cas.Digest) ([]byte, error) {
	var b []byte
	if _, err := c.call(ctx, request{method: http.MethodGet, path: packagePath(id)}, &b); err != nil {
		return nil, err
	}
	if got := cas.Sum(b); got != id {
		return nil, fmt.Errorf("package %s: the manifest hashes to %s: %w", id, got, cas.ErrCorrupt)
	}
	return b, nil
}

// PackageFiles returns signed reads of a package's files. Fetch runs them.
func (c *Client) PackageFiles(ctx context.Context, id cas.Digest) (Files, error) {
	var f Files
	_, err := c.call(ctx, request{method: http.MethodGet, path: packagePath(id) + "/files"}, &f)
	return f, err
}

// ListPackages returns packages, newest first.
func (c *Client) ListPackages(ctx context.Context, f registry.PackageFilter) ([]registry.Package, error) {
	q := limit(f.Limit)
	if f.Model != "" {
		q.Set("model", string(f.Model))
	}
	var doc struct{ Packages []registry.Package }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/packages", query: q}, &doc)
	return doc.Packages, err
}

// Lineage returns where a package comes from and where it went.
func (c *Client) Lineage(ctx context.Context, id cas.Digest) (registry.Lineage, error) {
	var l registry.Lineage
	_, err := c.call(ctx, request{method: http.MethodGet, path: packagePath(id) + "/lineage"}, &l)
	return l, err
}

// Attestations returns what is said about a package, oldest first.
func (c *Client) Attestations(ctx context.Context, id cas.Digest) ([]registry.Attestation, error) {
	var doc struct{ Attestations []registry.Attestation }
	_, err := c.call(ctx, request{method: http.MethodGet, path: packagePath(id) + "/attestations"}, &doc)
	return doc.Attestations, err
}

// Fetch runs a signed read and returns the object's bytes, which the caller checks and closes. The token does not go
// along: the address is the object store's.
func (c *Client) Fetch(ctx context.Context, get bucket.Signed) (io.ReadCloser, error) {
	if get.Method != http.MethodGet {
		return nil, fmt.Errorf("signed request is %q, want a read", get.Method)
	}
	req, err := get.Request(ctx, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w", req.URL.Host, plain(err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusal(request{method: req.Method, path: req.URL.Path}, resp)
	}
	return resp.Body, nil
}

func packagePath(id cas.Digest) string { return "/v1/packages/" + id.String() }

func limit(n int) url.Values {
	q := url.Values{}
	if n > 0 {
		q.Set("limit", strconv.Itoa(n))
	}
	return q
}
