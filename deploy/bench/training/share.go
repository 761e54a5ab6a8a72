package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// yearWindow is the first window of the dataset of the year: one is enough, and it has more than 300,000 rows.
const yearWindow = 345 * 24 * time.Hour

// runShare is T2: our share of a run's wall time, on the example's first window and on the year. For comparison the first
// is run without a warm parent, too.
func (b *bench) runShare(ctx context.Context) error {
	if err := b.share(ctx, "two months", "", 24*24*time.Hour, ""); err != nil {
		return err
	}
	if err := b.share(ctx, "two months, cold", "", 24*24*time.Hour, ", cold: true"); err != nil {
		return err
	}
	if !b.long {
		return nil
	}
	tables, err := exec.CommandContext(ctx, "deploy/examples/flights/fetch.py").Output()
	if err != nil {
		return fmt.Errorf("tables of the year: %w (or leave them out: -year=false)", err)
	}
	return b.share(ctx, "year", strings.TrimSpace(string(tables)), yearWindow, "")
}

// share measures one dataset: tables in a folder ("": those of the tree), the first window's length, and further settings
// of training.
func (b *bench) share(ctx context.Context, name, tables string, every time.Duration, settings string) error {
	s, err := b.stack(ctx, "t2-"+strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-"), "training: {max_parallel: 1"+settings+"}\n")
	if err != nil {
		return err
	}
	return errors.Join(b.shareOn(ctx, s, name, tables, every), s.close())
}

func (b *bench) shareOn(ctx context.Context, s *stack, name, tables string, every time.Duration) error {
	days := fmt.Sprintf("every: %dd", int(every.Hours()/24))
	if err := s.example(ctx, func(_ string, spec []byte) []byte { return bytes.Replace(spec, []byte("every: 24d"), []byte(days), 1) }); err != nil {
		return err
	}
	turn, err := s.turn(ctx, tables, every)
	if err != nil {
		return err
	}
	first, err := s.run(ctx, turn.Run)
	if err != nil {
		return err
	}
	var times []timeline
	for range b.repeats {
		if err := pause(ctx, settle); err != nil {
			return err
		}
		var id string
		if err := s.Call(ctx, http.MethodPost, s.Control+"/train", "application/json", first.Request, &id); err != nil {
			return err
		}
		t, err := s.timeline(ctx, id)
		if err != nil {
			return err
		}
		times = append(times, t)
	}
	b.tellShare(name, turn.Rows, times)
	return nil
}

// settle is left between two runs: the first one's package is evaluated meanwhile, which takes processors, too.
const settle = 2 * time.Second

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn replays flights until the first window is a model.
func (s *stack) turn(ctx context.Context, dir string, every time.Duration) (flights.Stages, error) {
	files := flights.TwoMonths()
	if dir != "" {
		files = os.DirFS(dir)
	}
	tables, err := flights.Load(files)
	if err != nil {
		return flights.Stages{}, err
	}
	hs, err := flights.Happenings(tables)
	if err != nil {
		return flights.Stages{}, err
	}
	// As the example's spec has it, but for the length.
	plan := flights.Plan{Start: time.Date(2013, 1, 1, 5, 0, 0, 0, time.UTC), Every: every, Loops: 1, End: hs[len(hs)-1].Known}
	replay := flights.NewReplay(s.Client, hs)
	replay.Batch = 1000
	if err := replay.Until(ctx, plan.Due(1)); err != nil {
		return flights.Stages{}, err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("not within ten minutes"))
	defer cancel()
	return flights.Turn(bounded, s.Client, plan.WindowEnd(1))
}

// tellShare writes the rows of T2 for one dataset.
func (b *bench) tellShare(name string, rows int64, times []timeline) {
	parts := figures.Series{}
	for _, t := range times {
		for _, p := range t.parts {
			parts.Add(p.name, p.seconds)
		}
		parts.Add("whole", t.whole)
		parts.Add("rest", t.whole-t.trained)
		parts.Add("share", 1-t.trained/t.whole)
	}
	m := parts.Medians()
	what := fmt.Sprintf("%s, %d rows", name, rows)
	limit := "<= 0.10"
	if strings.HasSuffix(name, "cold") {
		limit = "" // a comparison, no goal
	}
	b.report.Add(figures.Row{Goal: "T2", What: what + ": all but step train", Numerator: fmt.Sprintf("%.3f s", m["rest"]),
		Denominator: fmt.Sprintf("%.3f s from requested to complete", m["whole"]), Ratio: m["share"], Limit: limit, Met: m["share"] <= 0.10})
	for _, p := range times[0].parts {
		b.report.Add(figures.Row{Goal: "T2", What: name + ": " + p.name, Numerator: fmt.Sprintf("%.3f s", m[p.name]), Denominator: "of the whole", Ratio: m[p.name] / m["whole"]})
	}
	least := slices.MinFunc(times, func(a, b timeline) int { return cmp.Compare(a.whole, b.whole) })
	b.report.Note("T2, %s: %d runs of one request after the first, one at a time, %s apart, local processes; medians. The fastest took %.3f s, %.3f s of that to train: a share of %.2f.",
		name, len(times), settle, least.whole, least.trained, 1-least.trained/least.whole)
}
