package registry

import (
	"encoding/json"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Spec is one declared object, as the catalog keeps it.
type Spec struct {
	Kind       string          `json:"kind"` // Stream, Dataset, Workflow, Model
	Name       string          `json:"name"`
	Body       json.RawMessage `json:"spec"`   // canonical JSON
	Digest     cas.Digest      `json:"digest"` // of Body
	Generation int64           `json:"generation"`
	Updated    time.Time       `json:"updated_at"`
}
