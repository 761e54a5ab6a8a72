package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// RunPage is a part of a list of runs.
type RunPage struct {
	Runs []registry.Run `json:"runs"`
	// Next is the cursor of the next page, "" on the last one.
	Next string `json:"next,omitempty"`
}

// RunPage returns the runs that f selects behind a cursor, "" for the newest. Of f.Workflows only the first is asked for,
// and f.After is not looked at.
func (c *Client) RunPage(ctx context.Context, f registry.RunFilter, cursor string) (RunPage, error) {
	q := limit(f.Limit)
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("model", string(f.Model))
	set("project", f.Project)
	set("owner", f.Owner)
	set("trainer", f.Trainer)
	set("cursor", cursor)
	if len(f.Workflows) > 0 {
		set("workflow", f.Workflows[0])
	}
	var states []string
	for _, s := range f.States {
		states = append(states, string(s))
	}
	set("state", strings.Join(states, ","))
	if !f.Sweep.IsZero() {
		q.Set("sweep", f.Sweep.String())
	}
	setDigest(q, "dataset", f.Dataset)
	setDigest(q, "package", f.Package)
	setTime(q, "since", f.Since)
	setTime(q, "until", f.Until)
	var page RunPage
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/runs", query: q}, &page)
	return page, err
}

func setDigest(q url.Values, name string, d cas.Digest) {
	if !d.IsZero() {
		q.Set(name, d.String())
	}
}

func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}
