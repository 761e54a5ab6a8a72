package inference

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// stateFile is the served table, beside the packages in the cache.
const stateFile = "state.json"

// state is what a server has served: the floor below which no later process may go.
type state struct {
	Version int          `json:"version"`
	Tags    []remote.Tag `json:"tags"`
}

// readState returns the tags that were served last; none where nothing ever was.
func (c *cache) readState() ([]registry.TagState, error) {
	b, err := c.root.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read served table: %w", err)
	}
	var s state
	if err = json.Unmarshal(b, &s); err == nil && s.Version != 1 {
		err = fmt.Errorf("version %d", s.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("served table %s/%s is not readable; remove it only if older generations may be served again: %w", c.dir, stateFile, err)
	}
	out := make([]registry.TagState, len(s.Tags))
	for i, t := range s.Tags {
		if out[i], err = t.State(); err != nil {
			return nil, fmt.Errorf("read served table: %w", err)
		}
	}
	return out, nil
}

// writeState notes the tags that are about to be served. It returns once they are on disk.
func (c *cache) writeState(tags map[registry.Tag]registry.TagState) error {
	s := state{Version: 1, Tags: make([]remote.Tag, 0, len(tags))}
	for _, t := range tags {
		s.Tags = append(s.Tags, remote.TagOf(t))
	}
	slices.SortFunc(s.Tags, func(a, b remote.Tag) int { return cmp.Compare(a.Tag, b.Tag) })
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("write served table: %w", err)
	}
	if err := c.write(stateFile, append(b, '\n')); err != nil {
		return fmt.Errorf("write served table: %w", err)
	}
	return nil
}
