package registryapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	defaultListed = 100
	maxListed     = 1000
)

// query is the query of a request, of known names: a misspelt dry-run must not become an apply.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery("the query is malformed: percent-encode its values")
	}
	for name, values := range q {
		if !httpapi.Storable(name) || !httpapi.Storable(strings.Join(values, "")) {
			return nil, httpapi.BadText()
		}
		if !slices.Contains(names, name) {
			return nil, badQuery("unknown parameter " + strconv.Quote(clip(name)) + ": want one of " + strings.Join(names, ", "))
		}
		if len(values) > 1 {
			return nil, badQuery(name + " is there twice")
		}
	}
	return q, nil
}

func badQuery(detail string) error {
	return httpapi.Fault(http.StatusBadRequest, "bad_query", detail)
}

// limitOf is how many objects a list may have: 100 unless the query says otherwise.
func limitOf(q url.Values) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return defaultListed, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxListed {
		return 0, badQuery("limit: want 1 to " + strconv.Itoa(maxListed))
	}
	return n, nil
}

// all is a list that its reader needs whole, such as the tags that a server follows: it is cut only on request.
func all[T any](list []T, q url.Values) ([]T, error) {
	n, err := limitOf(q)
	if err != nil {
		return nil, err
	}
	if q.Has("limit") && len(list) > n {
		list = list[:n]
	}
	return present(list), nil
}

// present makes an empty list of nothing, so that it is written [] and not null.
func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// timeOf reads a time of the query, zero where it is not there.
func timeOf(q url.Values, name string) (time.Time, error) {
	if !q.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, q.Get(name))
	if err != nil {
		return time.Time{}, badQuery(name + ": want a time such as 2026-01-02T15:04:05Z, with + written %2B")
	}
	return t, nil
}

// digestOf reads a digest of the path.
func digestOf(r *http.Request, name string) (cas.Digest, error) {
	d, err := cas.Parse(r.PathValue(name))
	if err != nil {
		return cas.Digest{}, httpapi.Fault(http.StatusBadRequest, "bad_digest", cas.ErrBadDigest.Error())
	}
	return d, nil
}

// clip keeps hostile input out of error texts.
func clip(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
