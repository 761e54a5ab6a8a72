package httpapi

import (
	"net/http"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// HeaderIdempotencyKey makes the repeat of a request the same request.
const HeaderIdempotencyKey = "Idempotency-Key"

const maxIdempotencyKey = 255 // bytes

// IdempotencyKey is the identity of a change: the same key of the same caller is the same change. "" without a key.
func IdempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get(HeaderIdempotencyKey)
	switch {
	case key == "":
		return "", nil
	case !Storable(key):
		return "", BadText()
	case len(key) > maxIdempotencyKey:
		return "", Faultf(http.StatusBadRequest, "bad_idempotency_key", "%s has more than %d bytes", HeaderIdempotencyKey, maxIdempotencyKey)
	}
	return auth.PrincipalFrom(r.Context()).Name + "\n" + key, nil
}
