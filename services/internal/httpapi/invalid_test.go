package httpapi

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestInvalid(t *testing.T) {
	p := Invalid(errors.Join(&manifest.Fault{Path: "/b", Problem: "x"}, &manifest.Fault{Path: "/a", Problem: "y"}))
	list, _ := p.members["errors"].([]faultMember)
	if p.Status != 422 || p.Detail != "/a: y; /b: x" || len(list) != 2 || list[0] != (faultMember{"/a", "y"}) {
		t.Errorf("%+v %+v", p, list)
	}
	if p := Invalid(errors.New("no pointer")); p.Detail != "no pointer" {
		t.Errorf("%+v", p)
	}
	var many []error
	for range maxFaults + 1 {
		many = append(many, &manifest.Fault{Problem: "x"})
	}
	if list, _ := Invalid(errors.Join(many...)).members["errors"].([]faultMember); len(list) != maxFaults {
		t.Errorf("%d faults in one answer", len(list))
	}
}

func TestIdempotencyKey(t *testing.T) {
	for key, code := range map[string]string{"": "", "k": "", strings.Repeat("k", 255): "", strings.Repeat("k", 256): "bad_idempotency_key", "\xff": "bad_text"} {
		r := httptest.NewRequest("POST", "/", nil)
		r = r.WithContext(auth.With(r.Context(), auth.Principal{Name: "kelley"}))
		r.Header.Set(HeaderIdempotencyKey, key)
		got, err := IdempotencyKey(r)
		var p *Problem
		errors.As(err, &p)
		want := ""
		if key != "" {
			want = "kelley\n" + key
		}
		if code == "" && (err != nil || got != want) || code != "" && (p == nil || p.Code != code) {
			t.Errorf("%.10q: %q, %v", key, got, err)
		}
	}
}
