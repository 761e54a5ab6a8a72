package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Tag is the value of a tag at one generation.
type Tag struct {
	Name       string     `json:"tag"` // <model>/<tag>
	Arms       []Arm      `json:"arms"`
	Generation int64      `json:"generation"` // from 1, without a gap
	Previous   []Arm      `json:"previous"`   // of the generation before
	Actor      string     `json:"actor"`      // the token that moved it, or evaluate
	Reason     string     `json:"reason"`
	Evidence   cas.Digest `json:"evidence"` // of the evaluation that spoke for it, or zero
	At         time.Time  `json:"at"`
}

// Arm is one share of a tag's traffic.
type Arm struct {
	Package cas.Digest `json:"package"`
	Weight  int        `json:"weight"` // of 10000
}

// Tag returns a tag of a model as it stands.
func (c *Client) Tag(ctx context.Context, model, tag string) (Tag, error) {
	var t Tag
	if err := c.call(ctx, get("/v1/tags/"+url.PathEscape(model)+"/"+url.PathEscape(tag)), &t); err != nil {
		return t, fmt.Errorf("tag %s/%s: %w", model, tag, err)
	}
	return t, nil
}

// Tags returns every tag at its newest generation, by model and name.
func (c *Client) Tags(ctx context.Context) ([]Tag, error) {
	var doc struct{ Tags []Tag }
	if err := c.call(ctx, get("/v1/tags"), &doc); err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	return doc.Tags, nil
}

// TagHistory returns every generation of a tag, oldest first.
func (c *Client) TagHistory(ctx context.Context, model, tag string) ([]Tag, error) {
	var doc struct{ Generations []Tag }
	if err := c.call(ctx, get("/v1/tags/"+url.PathEscape(model)+"/"+url.PathEscape(tag)+"/history"), &doc); err != nil {
		return nil, fmt.Errorf("history of tag %s/%s: %w", model, tag, err)
	}
	return doc.Generations, nil
}

// Package is a published package.
type Package struct {
	ID      cas.Digest `json:"id"`
	Model   string     `json:"model"`  // that it was first published for
	Format  string     `json:"format"` // such as lightgbm-text
	Size    int64      `json:"size"`   // of all its blobs, in bytes
	Created time.Time  `json:"created_at"`
}

// Packages returns the newest packages of a model, newest first, at most limit; 0 leaves it to the server, "" means all
// models.
func (c *Client) Packages(ctx context.Context, model string, limit int) ([]Package, error) {
	r := get("/v1/packages")
	r.query = url.Values{}
	if model != "" {
		r.query.Set("model", model)
	}
	if limit != 0 {
		r.query.Set("limit", strconv.Itoa(limit))
	}
	var doc struct{ Packages []Package }
	if err := c.call(ctx, r, &doc); err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return doc.Packages, nil
}
