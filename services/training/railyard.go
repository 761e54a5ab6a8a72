package training

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// railyardTime is how Railyard writes times: 2019-03-22 18:00:04 +0000.
const railyardTime = "2006-01-02 15:04:05 -0700"

// transition is the newest state of a job and since when it holds.
type transition struct {
	CreatedAt string            `json:"created_at"`
	JobState  registry.RunState `json:"job_state"`
}

type jobStatus struct {
	JobID      registry.RunID    `json:"job_id"`
	JobState   registry.RunState `json:"job_state"`
	Transition transition        `json:"transition"`
	Attempt    int               `json:"attempt"`
	// Reason is why the job waits, why the attempt before was given up, or how it ended, where there is something to say.
	Reason       string `json:"reason,omitempty"`
	ComputeClass string `json:"compute_class,omitempty"`
}

// jobResult is Railyard's answer, member by member and in its order. What was a git commit there is the digest of the
// workflow here; diorama_id is the package.
type jobResult struct {
	Status        resultStatus      `json:"status"`
	Result        *resultArtifacts  `json:"result"`        // null until complete
	ExceptionInfo *events.Exception `json:"exceptionInfo"` // null unless failed
}

type resultStatus struct {
	JobID      registry.RunID `json:"job_id"`
	LogFile    *string        `json:"log_file"` // null before the first attempt
	Transition transition     `json:"transition"`
	GitCommit  cas.Digest     `json:"git_commit"`
}

type resultArtifacts struct {
	DataPath  *string    `json:"evaluation_holdout_data_path"`
	LabelPath *string    `json:"evaluation_holdout_label_path"`
	DioramaID cas.Digest `json:"diorama_id"`
}

func (s *Server) jobStatus(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, jobStatus{
		JobID: run.ID, JobState: run.State, Transition: transitionOf(run), Attempt: run.Attempt,
		Reason: reasonOf(run), ComputeClass: run.ComputeClass,
	})
}

// reasonOf says in words why a run is where it is.
func reasonOf(run registry.Run) string {
	switch {
	case run.State == registry.RunFailed && run.Exception != nil:
		first, _, _ := strings.Cut(run.Exception.Message, "\n")
		return strings.TrimSuffix(run.Exception.Type+": "+first, ": ")
	case run.State == registry.RunComplete:
		return ""
	case run.State == registry.RunRunning: // what queued this attempt gave up the one before
		for _, t := range run.History {
			if t.State == registry.RunQueued && t.Attempt == run.Attempt {
				return t.Reason
			}
		}
		return ""
	}
	for _, t := range slices.Backward(run.History) {
		if t.State != run.State || t.Attempt != run.Attempt {
			break
		}
		if t.Reason != "" {
			return t.Reason
		}
	}
	return ""
}

func (s *Server) jobResult(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	out := jobResult{Status: resultStatus{JobID: run.ID, Transition: transitionOf(run), GitCommit: run.Workflow}}
	if run.Attempt > 0 {
		out.Status.LogFile = s.address(registry.ArtifactKey(run.ID, run.Attempt, registry.ArtifactLogs))
	}
	switch run.State {
	case registry.RunComplete:
		out.Result = &resultArtifacts{
			DataPath: s.address(run.Artifacts[registry.ArtifactScores]), LabelPath: s.address(run.Artifacts[registry.ArtifactLabels]),
			DioramaID: run.Package,
		}
	case registry.RunFailed:
		out.ExceptionInfo = run.Exception
	}
	return httpapi.JSON(w, http.StatusOK, out)
}

// transitionOf is the run's newest transition.
func transitionOf(run registry.Run) transition {
	at := run.Updated
	if n := len(run.History); n > 0 {
		at = run.History[n-1].At
	}
	return transition{CreatedAt: at.In(time.UTC).Format(railyardTime), JobState: run.State}
}

// address is the s3:// form of a key, nil for none.
func (s *Server) address(key string) *string {
	if key == "" {
		return nil
	}
	text := "s3://" + s.cfg.BucketName + "/" + key
	return &text
}
