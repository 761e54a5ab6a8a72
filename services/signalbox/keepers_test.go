package main

import (
	"context"
	"errors"
	"testing"
)

// pins are references to some keys.
type pins map[string]bool

func (p pins) Referenced(context.Context, []string) (map[string]bool, error) {
	if len(p) == 0 {
		return nil, errors.New("database is down")
	}
	return p, nil
}

func TestKeepers(t *testing.T) {
	got, err := keepers{pins{"a": true}, pins{"b": true}}.Referenced(t.Context(), []string{"a", "b", "c"})
	if err != nil || len(got) != 2 || !got["a"] || !got["b"] {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := (keepers{pins{"a": true}, pins{}}).Referenced(t.Context(), []string{"a", "b"}); err == nil {
		t.Errorf("%v although nobody knows about b", got)
	}
}
