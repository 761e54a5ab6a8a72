package registry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/name"
)

// ErrBadName reports a name outside the grammar.
var ErrBadName = name.ErrBad

// ModelName names a model.
type ModelName string

// ParseModelName checks s against the grammar of names.
func ParseModelName(s string) (ModelName, error) { return ModelName(s), CheckName(s) }

// CheckName checks a name of any kind of object.
func CheckName(s string) error { return name.Check(s) }

// Tag names a movable pointer of a model.
type Tag struct {
	Model ModelName
	Name  string
}

// ParseTag reads "<model>/<name>".
func ParseTag(s string) (Tag, error) {
	m, n, ok := strings.Cut(s, "/")
	if !ok {
		return Tag{}, fmt.Errorf("tag %q: want <model>/<name>: %w", s, ErrBadName)
	}
	if err := errors.Join(CheckName(m), CheckName(n)); err != nil {
		return Tag{}, err
	}
	return Tag{Model: ModelName(m), Name: n}, nil
}

// String returns "<model>/<name>".
func (t Tag) String() string { return string(t.Model) + "/" + t.Name }

// RunID identifies a training run; Railyard calls it a job id.
type RunID uuid.UUID

// ParseRunID reads the canonical text of a UUID.
func ParseRunID(s string) (RunID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return RunID{}, fmt.Errorf("run id %q: want a UUID such as 9081e64f-b2c0-455e-bcaa-c1c211fa124b: %w", s, ErrBadName)
	}
	return RunID(u), nil
}

// String returns the canonical text of the UUID.
func (id RunID) String() string { return uuid.UUID(id).String() }

// MarshalText implements encoding.TextMarshaler.
func (id RunID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *RunID) UnmarshalText(b []byte) error {
	v, err := ParseRunID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}
