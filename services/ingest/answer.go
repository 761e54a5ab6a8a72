package ingest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const headerPosition = "Signalbox-Position"

// result is what became of one event of a batch. Status is what the event would have been answered alone.
type result struct {
	Index     int            `json:"index"`
	ID        string         `json:"id"`
	Status    int            `json:"status"`
	Code      string         `json:"code,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Retryable bool           `json:"retryable,omitempty"`
	Position  string         `json:"position,omitempty"` // topic/partition/offset
	Errors    []schema.Fault `json:"errors,omitempty"`
}

// answerOne answers for a single event.
func answerOne(w http.ResponseWriter, it *item) error {
	if it.fault == nil {
		w.Header().Set(headerPosition, it.position.String())
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	p := it.fault
	if len(it.faults) > 0 {
		p = p.With("errors", it.faults)
	}
	return because(p, it.cause)
}

// answerBatch answers 200 where every event is in the log and 207 where some are. Where none is, the answer is a problem
// with the results in it: who looks at the status alone must not take it for success.
func (s *Server) answerBatch(w http.ResponseWriter, r *http.Request, items []*item) error {
	var failed []*item
	for _, it := range items {
		if it.fault != nil {
			failed = append(failed, it)
		}
	}
	status := http.StatusOK
	switch {
	case len(failed) == 0:
	case len(failed) == len(items):
		return noneTaken(items)
	default:
		status = http.StatusMultiStatus
		s.partly(w, r, failed)
	}
	return httpapi.JSON(w, status, map[string][]result{"results": resultsOf(items)})
}

// partly says when to come back, and tells the operator what no status of the answer shows.
func (s *Server) partly(w http.ResponseWriter, r *http.Request, failed []*item) {
	if slices.ContainsFunc(failed, func(it *item) bool { return mayRetry(it.fault.Status) }) {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryLater.Seconds())))
	}
	if i := slices.IndexFunc(failed, func(it *item) bool { return it.cause != nil }); i >= 0 {
		s.cfg.Log.WarnContext(r.Context(), "batch taken in part", "failed", len(failed), "error", failed[i].cause)
	}
}

func resultsOf(items []*item) []result {
	out := make([]result, len(items))
	for i, it := range items {
		out[i] = result{Index: i, ID: it.id, Status: http.StatusAccepted}
		if it.fault == nil {
			out[i].Position = it.position.String()
			continue
		}
		out[i].Status, out[i].Code, out[i].Detail = it.fault.Status, it.fault.Code, it.fault.Detail
		out[i].Retryable, out[i].Errors = mayRetry(it.fault.Status), it.faults
	}
	return out
}

// noneTaken makes one problem of many: the fault that all share, else the one that another try may mend.
func noneTaken(items []*item) error {
	first, worst := items[0], items[0]
	same := true
	for _, it := range items[1:] {
		same = same && it.fault.Code == first.fault.Code
		if mayRetry(it.fault.Status) && (!mayRetry(worst.fault.Status) || it.fault.Status > worst.fault.Status) {
			worst = it
		}
	}
	p := *worst.fault
	switch {
	case !same && !mayRetry(p.Status):
		p = *refuse(http.StatusUnprocessableEntity, "batch_refused", "none of the %d events can be taken: see results", len(items))
	case len(items) > 1:
		p.Detail = fmt.Sprintf("none of the %d events was taken for sure, see results; one of them: %s", len(items), p.Detail)
	}
	return because(p.With("results", resultsOf(items)), worst.cause)
}

// refuseWhole marks what is not tried because others are at fault.
func refuseWhole(items []*item) {
	for _, it := range items {
		if it.fault == nil {
			it.fault = refuse(http.StatusFailedDependency, "not_tried", "other events of the batch are at fault: mend or remove those")
		}
	}
}

// answerWhole answers for a batch that was to be taken whole or not at all, and is not.
func answerWhole(items []*item) error {
	p := refuse(http.StatusUnprocessableEntity, "batch_refused", "nothing of the batch was taken, because events of it are at fault: see results")
	var cause error
	if i := slices.IndexFunc(items, func(it *item) bool { return it.fault.Status == http.StatusServiceUnavailable }); i >= 0 {
		f := *items[i].fault
		f.Detail = "nothing of the batch was taken: " + f.Detail
		p, cause = &f, items[i].cause
	}
	return because(p.With("results", resultsOf(items)), cause)
}

// because keeps what a client is not told for the log.
func because(p *httpapi.Problem, cause error) error {
	if cause == nil {
		return p
	}
	return fmt.Errorf("%w: %w", p, cause)
}
