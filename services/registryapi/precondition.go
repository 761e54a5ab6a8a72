package registryapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// expected is the generation that a change of a tag starts from, 0 for a tag that must not be there. A change that says
// neither would overwrite what its caller has not seen.
func expected(r *http.Request) (int64, error) {
	match, none := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	switch {
	case len(match)+len(none) == 0:
		return 0, httpapi.Fault(http.StatusPreconditionRequired, "precondition_required",
			`say what the change starts from: If-Match: "<generation>" as the ETag of the tag has it, or If-None-Match: * for a new tag`)
	case len(match)+len(none) > 1:
		return 0, badPrecondition()
	case len(none) == 1:
		if none[0] != "*" {
			return 0, badPrecondition()
		}
		return 0, nil
	}
	n, ok := generation(match[0])
	if !ok {
		return 0, badPrecondition()
	}
	return n, nil
}

func badPrecondition() error {
	return httpapi.Fault(http.StatusBadRequest, "bad_precondition", `want either If-Match: "<generation>" with one generation, or If-None-Match: *`)
}

// generation reads a strong entity tag.
func generation(text string) (int64, bool) {
	inner, ok := strings.CutPrefix(text, `"`)
	if !ok {
		return 0, false
	}
	if inner, ok = strings.CutSuffix(inner, `"`); !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(inner, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == inner
}

// known reports whether the caller of a GET has this generation already.
func known(r *http.Request, now int64) bool {
	for _, list := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == etag(now) || one == "*" {
				return true
			}
		}
	}
	return false
}

// moved is a 412 with the tag as it stands, null where there is none, so that the caller need not ask.
func moved(w http.ResponseWriter, now registry.TagState) error {
	if now.Generation == 0 {
		return httpapi.Fault(http.StatusPreconditionFailed, "tag_moved", "there is no such tag: use If-None-Match: * to make it").With("current", nil)
	}
	w.Header().Set("ETag", etag(now.Generation))
	return httpapi.Faultf(http.StatusPreconditionFailed, "tag_moved", "the tag is at generation %d: look at it, and start from there", now.Generation).
		With("current", remote.TagOf(now))
}

// reused is for an Idempotency-Key that stands for another change already.
func reused() error {
	return httpapi.Faultf(http.StatusUnprocessableEntity, "idempotency_key_reused", "this %s was another change: use a new one", httpapi.HeaderIdempotencyKey)
}
