package remote

import (
	"context"
	"net/http"
	"net/url"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Apply is the body of POST /v1/specs.
type Apply struct {
	Documents []spec.Document `json:"documents"`
}

// Apply declares documents and returns what became of each. dryRun changes nothing and only says what would.
func (c *Client) Apply(ctx context.Context, docs []spec.Document, dryRun bool) ([]registry.Applied, error) {
	r := request{method: http.MethodPost, path: "/v1/specs", body: Apply{Documents: docs}}
	if dryRun {
		r.query = url.Values{"dry-run": {"true"}}
	}
	var doc struct{ Applied []registry.Applied }
	_, err := c.call(ctx, r, &doc)
	return doc.Applied, err
}

// ListSpecs returns the specs of one kind, or of all with kind "".
func (c *Client) ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error) {
	r := request{method: http.MethodGet, path: "/v1/specs"}
	if kind != "" {
		r.query = url.Values{"kind": {kind}}
	}
	var doc struct{ Specs []registry.Spec }
	_, err := c.call(ctx, r, &doc)
	return doc.Specs, err
}

// Spec returns one spec.
func (c *Client) Spec(ctx context.Context, kind, name string) (registry.Spec, error) {
	var s registry.Spec
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/specs/" + url.PathEscape(kind) + "/" + url.PathEscape(name)}, &s)
	return s, err
}
