package training

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	defaultListed = 100
	maxListed     = 1000
)

// query is the parameters of a list. Its methods read them, and collect what is wrong for err.
type query struct {
	values url.Values
	faults manifest.FaultList
}

// readQuery refuses what nobody can read. A misspelt parameter must not list everything.
func readQuery(r *http.Request, known ...string) (*query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery("the query is malformed: percent-encode its values")
	}
	q := &query{values: values}
	for name, texts := range values {
		if !httpapi.Storable(name) || !httpapi.Storable(strings.Join(texts, "")) {
			return nil, httpapi.BadText()
		}
		q.faults.Check(slices.Contains(known, name), "", "unknown parameter %.60q: want one of %s", name, strings.Join(known, ", "))
		q.faults.Check(len(texts) == 1 || name == "state", "", "%.60s is there twice", name)
	}
	return q, nil
}

// err is everything that was wrong with what was read.
func (q *query) err() error {
	if err := q.faults.Join(); err != nil {
		return badQuery(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

func badQuery(detail string) error { return httpapi.Fault(http.StatusBadRequest, "bad_query", detail) }

func (q *query) text(name string) string { return q.values.Get(name) }

// parameter parses one; zero where it is not there.
func parameter[T any](q *query, name string, parse func(string) (T, error)) T {
	var out T
	if !q.values.Has(name) {
		return out
	}
	out, err := parse(q.text(name))
	q.faults.Err(name, err)
	return out
}

func (q *query) model() registry.ModelName { return parameter(q, "model", registry.ParseModelName) }

func (q *query) digest(name string) cas.Digest { return parameter(q, name, cas.Parse) }

func (q *query) cursor() registry.RunCursor { return parameter(q, "cursor", registry.ParseRunCursor) }

func (q *query) time(name string) time.Time {
	if !q.values.Has(name) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, q.text(name))
	q.faults.Check(err == nil, name, "want a time such as 2026-01-02T15:04:05Z, with + written %%2B")
	return t
}

func (q *query) limit() int {
	text := q.text("limit")
	if text == "" {
		return defaultListed
	}
	n, err := strconv.Atoi(text)
	q.faults.Check(err == nil && n >= 1 && n <= maxListed, "limit", "%.20q: want 1 to %d", text, maxListed)
	return n
}

// states reads a list with commas, or several of them, of the states that there are.
func states[S ~string](q *query, all ...S) []S {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	var out []S
	for _, state := range strings.Split(strings.Join(q.values["state"], ","), ",") {
		if state != "" && oneOf(&q.faults, "state", state, names) && !slices.Contains(out, S(state)) {
			out = append(out, S(state))
		}
	}
	return out
}

// page cuts a list that was asked for with one more than limit, and says where the next page begins, "" where none does.
func page[T interface{ Cursor() registry.RunCursor }](found []T, limit int) (cut []T, next string) {
	if len(found) <= limit {
		return found, ""
	}
	return found[:limit], found[limit-1].Cursor().String()
}
