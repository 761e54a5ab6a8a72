package httpapi

import (
	"net/http"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

// Each status of a route is measured as itself, and by the same labels each time.
func TestRouteLabels(t *testing.T) {
	known := &routeLabels{route: "GET /v1/things"}
	for _, status := range []int{http.StatusOK, http.StatusNotFound} {
		first := known.of(status)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if known.of(status) != first {
					t.Errorf("%d: labels are made twice", status)
				}
			})
		}
		all.Wait()
		set := attribute.NewSet(first.list...)
		got, _ := set.Value("http.response.status_code")
		route, _ := set.Value("http.route")
		if got.AsInt64() != int64(status) || route.AsString() != known.route || set.Len() != 2 {
			t.Errorf("%d: %v", status, first.list)
		}
	}
}
