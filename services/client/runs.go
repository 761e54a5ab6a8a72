package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// RunFilter selects runs. What is zero selects nothing out.
type RunFilter struct {
	Model    string
	States   []State // any of these
	Project  string  // as the request says, like the next two
	Owner    string
	Trainer  string
	Workflow string     // name of a workflow or of its class
	Dataset  cas.Digest // that was trained on
	Package  cas.Digest // that was left
	Sweep    SweepID    // of which they are trials
	Since    time.Time  // created then or later
	Until    time.Time  // created before
	// Page is how many runs are fetched at once, 1 to 1000; 0 leaves it to the server.
	Page int
}

func (f RunFilter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("model", f.Model)
	set("project", f.Project)
	set("owner", f.Owner)
	set("trainer", f.Trainer)
	set("workflow", f.Workflow)
	set("state", listed(f.States))
	set("sweep", string(f.Sweep))
	if !f.Dataset.IsZero() {
		q.Set("dataset", f.Dataset.String())
	}
	if !f.Package.IsZero() {
		q.Set("package", f.Package.String())
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		q.Set("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if f.Page != 0 {
		q.Set("limit", strconv.Itoa(f.Page))
	}
	return q
}

// listed is the form of a list in a query.
func listed(states []State) string {
	var words []string
	for _, s := range states {
		words = append(words, string(s))
	}
	return strings.Join(words, ",")
}

// Runs goes through the runs that f selects, newest first, page by page as far as the caller goes. They have no history.
// An error is the last that comes.
func (c *Client) Runs(ctx context.Context, f RunFilter) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		r := get("/v1/runs")
		r.query = f.query()
		for {
			var page struct {
				Runs []Run
				Next string
			}
			if err := c.call(ctx, r, &page); err != nil {
				yield(Run{}, fmt.Errorf("list runs: %w", err))
				return
			}
			for _, run := range page.Runs {
				if !yield(run, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			r.query.Set("cursor", page.Next)
		}
	}
}
