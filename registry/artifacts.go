package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Names of the artifacts that consumers read.
const (
	ArtifactHoldout = "holdout.jsonl" // one row of a predict request a line
	ArtifactScores  = "scores.tsv"    // row, score
	ArtifactLabels  = "labels.tsv"    // row, label
	ArtifactLogs    = "logs"
)

// LogDir is the name under which the chunks of an attempt's log stand; no artifact may have it.
const LogDir = "log.d"

// maxArtifacts bounds what one call signs.
const maxArtifacts = 100

var artifactName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// Artifact is a file that an attempt is about to leave.
type Artifact struct {
	Name   string     `json:"name"`
	Digest cas.Digest `json:"digest"`
	Size   int64      `json:"size"` // bytes
}

// SignedArtifact says how to leave it.
type SignedArtifact struct {
	Name string        `json:"name"`
	Key  string        `json:"key"` // to name it by when the run ends
	Put  bucket.Signed `json:"put"`
}

// AttemptPrefix is the bucket prefix of everything that an attempt leaves but its package.
func AttemptPrefix(id RunID, attempt int) string {
	return "runs/" + id.String() + "/" + strconv.Itoa(attempt) + "/"
}

// ArtifactKey is the bucket key of an attempt's artifact.
func ArtifactKey(id RunID, attempt int, name string) string { return AttemptPrefix(id, attempt) + name }

// SignArtifacts hands out create-only writes for the artifacts of the attempt under way: ErrRunMoved for any
// other.
func (r *Registry) SignArtifacts(ctx context.Context, id RunID, attempt int, list []Artifact) ([]SignedArtifact, error) {
	run, err := r.catalog.Run(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("sign artifacts: %w", err)
	}
	if run.Attempt != attempt || run.State != RunQueued && run.State != RunRunning {
		return nil, fmt.Errorf("sign artifacts: run %s is %s at attempt %d: %w", id, run.State, run.Attempt, ErrRunMoved)
	}
	if len(list) > maxArtifacts {
		return nil, fmt.Errorf("sign artifacts: %w", invalid("/artifacts", "%d: at most %d at once", len(list), maxArtifacts))
	}
	var errs []error
	for i, a := range list {
		at := "/artifacts/" + strconv.Itoa(i)
		if !artifactName.MatchString(a.Name) || a.Name == LogDir {
			errs = append(errs, invalid(at+"/name", "%.100q: want a plain file name such as %s", a.Name, ArtifactScores))
		}
		if a.Digest.IsZero() || a.Size < 0 || a.Size > manifest.MaxLayer {
			errs = append(errs, invalid(at, "want a digest, and a size of 0 to %d bytes", int64(manifest.MaxLayer)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sign artifacts: %w", err)
	}
	out := make([]SignedArtifact, len(list))
	for i, a := range list {
		key := ArtifactKey(id, attempt, a.Name)
		put, err := r.cfg.Signer.SignPut(ctx, key, a.Digest, a.Size, r.cfg.SignFor)
		if err != nil {
			return nil, fmt.Errorf("sign artifacts: %w", err)
		}
		out[i] = SignedArtifact{Name: a.Name, Key: key, Put: put}
	}
	return out, nil
}

// checkArtifacts keeps an attempt from passing off as its own what others left.
func checkArtifacts(c RunChange) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Artifacts)) {
		key := c.Artifacts[name]
		if !artifactName.MatchString(name) || manifest.CheckPath(strings.TrimSuffix(key, "/")) != nil ||
			!strings.HasPrefix(key, AttemptPrefix(c.ID, c.Attempt)) {
			errs = append(errs, invalid("/artifacts/"+manifest.Escape(name), "%.200q is no key of attempt %d", key, c.Attempt))
		}
	}
	return errors.Join(errs...)
}
