package registry

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// MaxWho bounds project, owner and trainer of a training request, in bytes: runs are found by them.
const MaxWho = 255

// readMembers reads a training request by the exact names of its members: those that only look like ours are the
// workflow's. What the catalog keeps beside the request must be texts that it can keep.
func readMembers(b json.RawMessage) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return nil, invalid("", "not a training request: want an object")
	}
	var errs []error
	for _, name := range []string{"owner", "project", "trainer"} {
		var text string
		if v, ok := members[name]; !ok {
			continue
		} else if err := json.Unmarshal(v, &text); err != nil {
			errs = append(errs, invalid("/"+name, "want a string"))
		} else if len(text) > MaxWho {
			errs = append(errs, invalid("/"+name, "has %d bytes: at most %d are kept", len(text), MaxWho))
		}
	}
	return members, errors.Join(errs...)
}

// replaceDatasets replaces what a request names as datasets, by the index of the source, and leaves every other byte as it
// came.
func replaceDatasets(b json.RawMessage, by map[int]string) json.RawMessage {
	type span struct {
		from, to int
		text     string
	}
	var spans []span
	manifest.Walk(b, func(v manifest.Value) {
		if p := v.Path; len(p) == 4 && p[0] == "data" && p[1] == "features" && p[3] == "dataset" {
			if i, err := strconv.Atoi(p[2]); err == nil && by[i] != "" {
				spans = append(spans, span{v.From, v.To, strconv.Quote(by[i])})
			}
		}
	})
	out := slices.Clone(b)
	for _, s := range slices.Backward(spans) {
		out = slices.Concat(out[:s.from], []byte(s.text), out[s.to:])
	}
	return out
}
