package flights

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Stages is one turn of the loop, from the last event to the model that answers. Times are those that the stack wrote.
type Stages struct {
	Window     time.Time // end of the dataset's window, event time
	Rows       int64     // of the dataset
	Dataset    string    // digest
	Run        string
	Package    string
	State      string // of the run
	Decision   string // promote or keep
	Reasons    []string
	Metrics    map[string]map[string]float64
	Generation int64 // of the tag, where promoted

	LastEvent, DatasetReady, Started, Trained, Evaluated, Promoted, Serving time.Time
}

// datasetDoc, runDoc and the others are the parts of the API's documents that the example reads.
type datasetDoc struct {
	ID      string    `json:"id"`
	Rows    int64     `json:"rows"`
	End     time.Time `json:"window_end"`
	Created time.Time `json:"created_at"`
}

type runDoc struct {
	ID        string `json:"id"`
	Dataset   string `json:"dataset"`
	State     string `json:"state"`
	Package   string `json:"package"`
	Exception *struct {
		Type, Message, Step string
	} `json:"exception"`
	History []struct {
		State string    `json:"job_state"`
		At    time.Time `json:"created_at"`
	} `json:"history"`
}

type evaluationDoc struct {
	RunID    string                        `json:"run_id"`
	Decision string                        `json:"decision"`
	Reasons  []string                      `json:"reasons"`
	Metrics  map[string]map[string]float64 `json:"metrics"`
}

type attestationDoc struct {
	Type    string        `json:"type"`
	Body    evaluationDoc `json:"body"`
	Created time.Time     `json:"created_at"`
}

type generationDoc struct {
	Generation int64     `json:"generation"`
	At         time.Time `json:"at"`
	Arms       []struct {
		Package string `json:"package"`
	} `json:"arms"`
}

// pollEvery is how often the example looks whether the stack has got further.
const pollEvery = 100 * time.Millisecond

// await polls f until it says true, an error, or ctx ends; what names the wait in the error.
func await(ctx context.Context, what string, f func() (bool, error)) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		ok, err := f()
		var refused *Refusal
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			err = nil // not there yet
		}
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// Turn waits until window end has become a dataset, a run, a package, a decision and, where that is to promote, a
// model that answers.
func Turn(ctx context.Context, c *Client, end time.Time) (Stages, error) {
	s := Stages{Window: end}
	steps := []struct {
		what string
		f    func() (bool, error)
	}{
		{"the dataset up to " + end.Format(time.DateOnly), func() (bool, error) { return s.findDataset(ctx, c) }},
		{"the run", func() (bool, error) { return s.findRun(ctx, c) }},
		{"the run's end", func() (bool, error) { return s.followRun(ctx, c) }},
		{"the evaluation", func() (bool, error) { return s.findEvaluation(ctx, c) }},
		{"the promotion", func() (bool, error) { return s.findPromotion(ctx, c) }},
		{"the model to serve", func() (bool, error) { return s.findServing(ctx, c) }},
	}
	for _, step := range steps {
		if err := await(ctx, step.what, step.f); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *Stages) findDataset(ctx context.Context, c *Client) (bool, error) {
	var list struct {
		Datasets []datasetDoc `json:"datasets"`
	}
	err := c.Get(ctx, "/v1/datasets?name="+url.QueryEscape(Dataset), &list)
	for _, d := range list.Datasets {
		if d.End.Equal(s.Window) {
			s.Dataset, s.Rows, s.DatasetReady = d.ID, d.Rows, d.Created
			return true, nil
		}
	}
	return false, err
}

func (s *Stages) findRun(ctx context.Context, c *Client) (bool, error) {
	var list struct {
		Runs []runDoc `json:"runs"`
	}
	err := c.Get(ctx, "/v1/runs?model="+url.QueryEscape(Model), &list)
	for _, r := range list.Runs {
		if r.Dataset == s.Dataset {
			s.Run = r.ID
			return true, nil
		}
	}
	return false, err
}

func (s *Stages) followRun(ctx context.Context, c *Client) (bool, error) {
	var r runDoc
	if err := c.Get(ctx, "/v1/runs/"+s.Run, &r); err != nil {
		return false, err
	}
	s.State, s.Package = r.State, r.Package
	for _, h := range r.History {
		switch h.State {
		case "running":
			s.Started = h.At
		case "complete":
			s.Trained = h.At
		}
	}
	switch r.State {
	case "complete":
		return true, nil
	case "failed", "cancelled":
		reason := ""
		if r.Exception != nil {
			reason = fmt.Sprintf(": %s in %s: %s", r.Exception.Type, r.Exception.Step, r.Exception.Message)
		}
		return false, fmt.Errorf("run %s is %s%s", s.Run, r.State, reason)
	}
	return false, nil
}

func (s *Stages) findEvaluation(ctx context.Context, c *Client) (bool, error) {
	var list struct {
		Attestations []attestationDoc `json:"attestations"`
	}
	err := c.Get(ctx, "/v1/packages/"+s.Package+"/attestations", &list)
	for _, a := range list.Attestations {
		if a.Type == "evaluation" && a.Body.RunID == s.Run {
			s.Evaluated, s.Decision, s.Reasons, s.Metrics = a.Created, a.Body.Decision, a.Body.Reasons, a.Body.Metrics
			return true, nil
		}
	}
	return false, err
}

func (s *Stages) findPromotion(ctx context.Context, c *Client) (bool, error) {
	if s.Decision != "promote" {
		return true, nil
	}
	var list struct {
		Generations []generationDoc `json:"generations"`
	}
	err := c.Get(ctx, "/v1/tags/"+TagName+"/history", &list)
	for _, g := range list.Generations {
		if len(g.Arms) == 1 && g.Arms[0].Package == s.Package {
			s.Generation, s.Promoted = g.Generation, g.At
			return true, nil
		}
	}
	return false, err
}

func (s *Stages) findServing(ctx context.Context, c *Client) (bool, error) {
	if s.Decision != "promote" {
		return true, nil
	}
	var list struct {
		Models []struct {
			Tag        string    `json:"tag"`
			Generation int64     `json:"generation"`
			Since      time.Time `json:"since"`
		} `json:"models"`
	}
	err := c.Call(ctx, http.MethodGet, c.Predict+"/v1/models", "application/json", nil, &list)
	for _, m := range list.Models {
		if m.Tag == TagName && m.Generation >= s.Generation {
			s.Serving = m.Since
			return true, nil
		}
	}
	return false, err
}
