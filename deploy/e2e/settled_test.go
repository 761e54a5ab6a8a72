package e2e_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// settled judges a stack that nobody kills any more.
type settled struct {
	ctx    context.Context
	v      *victim
	client *flights.Client
	tables flights.Tables
	loops  flights.Plan
	kills  int
}

// turns waits until every window has come to its end.
func (s settled) turns(t *testing.T) {
	t.Helper()
	for k := 1; k <= s.loops.Loops; k++ {
		if _, err := flights.Turn(s.ctx, s.client, s.loops.WindowEnd(k)); err != nil {
			t.Fatalf("loop %d: %v", k, err)
		}
	}
}

// remote returns the API with the registry's types.
func (s settled) remote(t *testing.T) *remote.Client {
	t.Helper()
	c, err := remote.New(remote.Config{URL: s.v.Control, Token: s.v.Token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// caughtUp waits until the archive says that it has what was acknowledged.
func (s settled) caughtUp(t *testing.T, o *oracle) {
	t.Helper()
	c := s.remote(t)
	await(t, time.Minute, "the archive to have everything", func() (bool, error) {
		topics, err := c.Archive(s.ctx, "")
		if err != nil {
			return false, err
		}
		next := map[lane]int64{}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				next[lane{topic.Topic, p.Partition}] = p.Next
			}
		}
		for l := range o.acked {
			if next[l] < o.next(l) {
				return false, nil
			}
		}
		return true, nil
	})
}

// archive asks the oracle, and the archive itself, about every file.
func (s settled) archive(t *testing.T, o *oracle) {
	t.Helper()
	catalog, err := pgcatalog.Open(s.ctx, pgcatalog.Config{URL: s.v.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close()
	d := deployment{endpoints: s.v.endpoints}
	b := d.bucket(t)
	files, next := s.still(t, catalog.Ledger())
	if err := o.read(s.ctx, b, files); err != nil {
		t.Fatal(err)
	}
	for _, fault := range o.faults(next) {
		t.Error(fault)
	}
	report, err := archive.Verify(s.ctx, catalog.Ledger(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range report.Faults {
		t.Errorf("archive.Verify: %s", fault)
	}
	if report.Lost != 0 || report.Rows == 0 {
		t.Errorf("archive.Verify: %+v", report)
	}
	t.Logf("archive: %d files with %d rows in %d partitions", report.Files, report.Rows, report.Partitions)
}

// still returns the files and the ends of all partitions of one moment.
func (s settled) still(t *testing.T, l *pgcatalog.Ledger) (files []ledger.LedgerFile, next map[lane]int64) {
	t.Helper()
	ends := func() map[lane]int64 {
		states, err := l.Partitions(s.ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		out := map[lane]int64{}
		for _, p := range states {
			out[lane{p.Topic, p.Partition.Partition}] = p.Next
		}
		return out
	}
	await(t, 30*time.Second, "the archive to hold still", func() (done bool, err error) {
		next = ends()
		files, err = l.Files(s.ctx, ledger.FileQuery{})
		return err == nil && reflect.DeepEqual(next, ends()), err
	})
	return files, next
}

// registry judges what the loop has made: each thing once.
func (s settled) registry(t *testing.T) {
	t.Helper()
	c := s.remote(t)
	datasets, err := c.ListDatasets(s.ctx, registry.DatasetFilter{Name: flights.Dataset, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := c.ListRuns(s.ctx, registry.RunFilter{Model: flights.Model, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	s.datasets(t, datasets)
	if len(runs) != len(datasets) {
		t.Errorf("%d runs of %d datasets", len(runs), len(datasets))
	}
	of := map[cas.Digest]int{}
	packages := map[cas.Digest]registry.RunID{}
	for _, r := range runs {
		of[r.Dataset]++
		if other, twice := packages[r.Package]; twice {
			t.Errorf("runs %s and %s left the same package", other, r.ID)
		}
		packages[r.Package] = r.ID
		s.run(t, c, r.ID)
	}
	for _, d := range datasets {
		if of[d.ID] != 1 {
			t.Errorf("the dataset up to %s has %d runs", d.End.Format(time.DateOnly), of[d.ID])
		}
	}
	s.packages(t, c, packages)
	s.history(t, c, packages)
}

// datasets judges that each window has its one dataset, with every flight that landed, once: what was acknowledged twice
// must not count twice, and no window may be built before all of it was there.
func (s settled) datasets(t *testing.T, list []registry.Dataset) {
	t.Helper()
	rows := map[time.Time]int64{}
	for _, d := range list {
		if _, twice := rows[d.End.UTC()]; twice {
			t.Errorf("the window up to %s has two datasets", d.End.Format(time.DateOnly))
		}
		rows[d.End.UTC()] = d.Rows
	}
	for k := 1; k <= s.loops.Loops; k++ {
		end, want := s.loops.WindowEnd(k), int64(0)
		for _, f := range s.tables.Flights {
			if !f.Departure.Before(s.loops.Start) && f.Departure.Before(end) && !f.Arrival.IsZero() {
				want++
			}
		}
		if rows[end] != want {
			t.Errorf("the dataset up to %s has %d rows, but %d flights left and landed", end.Format(time.DateOnly), rows[end], want)
		}
	}
	if len(list) != s.loops.Loops {
		t.Errorf("%d datasets of %d windows", len(list), s.loops.Loops)
	}
}

// run judges that a run has succeeded, and that only kills have cost it attempts.
func (s settled) run(t *testing.T, c *remote.Client, id registry.RunID) {
	t.Helper()
	r, err := c.Run(s.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != registry.RunComplete || r.Package.IsZero() || r.Attempt < 1 || r.Attempt > 1+s.kills {
		t.Errorf("run %s is %s with package %s after %d attempts: %+v", id, r.State, r.Package, r.Attempt, r.Exception)
	}
	done := 0
	for _, h := range r.History {
		if h.State == registry.RunComplete {
			done++
		}
		if h.Reason != "" && h.State == registry.RunQueued {
			t.Logf("run %s, attempt %d: %s", id, h.Attempt, h.Reason)
			if !strings.HasPrefix(h.Reason, "JobLost") {
				t.Errorf("run %s needed another attempt: %s", id, h.Reason)
			}
		}
	}
	if done != 1 {
		t.Errorf("run %s was completed %d times", id, done)
	}
}

// packages judges that runs left one package each, whatever became of their earlier attempts, and that each was judged.
func (s settled) packages(t *testing.T, c *remote.Client, of map[cas.Digest]registry.RunID) {
	t.Helper()
	list, err := c.ListPackages(s.ctx, registry.PackageFilter{Model: flights.Model, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(of) {
		t.Errorf("%d packages of %d runs", len(list), len(of))
	}
	for _, p := range list {
		if _, ok := of[p.ID]; !ok {
			t.Errorf("package %s is of no run", p.ID)
		}
		said, err := c.Attestations(s.ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		evaluated := 0
		for _, a := range said {
			if a.Type == "evaluation" {
				evaluated++
			}
		}
		if evaluated != 1 {
			t.Errorf("package %s has %d evaluations", p.ID, evaluated)
		}
	}
}

// history judges that generations follow each other without a gap, and that no package was promoted twice.
func (s settled) history(t *testing.T, c *remote.Client, of map[cas.Digest]registry.RunID) {
	t.Helper()
	tag, err := registry.ParseTag(flights.TagName)
	if err != nil {
		t.Fatal(err)
	}
	generations, err := c.TagHistory(s.ctx, tag)
	if err != nil {
		t.Fatal(err)
	}
	if len(generations) == 0 {
		t.Error("nothing was promoted: the loop has not turned")
	}
	promoted := map[cas.Digest]bool{}
	for i, g := range generations {
		if g.Generation != int64(i+1) || len(g.Arms) != 1 {
			t.Fatalf("generation %d stands at place %d, with %d arms", g.Generation, i+1, len(g.Arms))
		}
		p := g.Arms[0].Package
		if promoted[p] {
			t.Errorf("package %s was promoted twice", p)
		}
		promoted[p] = true
		if _, ok := of[p]; !ok || g.Evidence.IsZero() {
			t.Errorf("generation %d is %s, by evidence %s: of no run, or of no evaluation", g.Generation, p, g.Evidence)
		}
	}
	t.Logf("%d packages, %d generations", len(of), len(generations))
}

// served waits until the newest generation is served, and returns it.
func (s settled) served(t *testing.T) int64 {
	t.Helper()
	tag, err := registry.ParseTag(flights.TagName)
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.remote(t).Tag(s.ctx, tag)
	if err != nil {
		t.Fatal(err)
	}
	await(t, 30*time.Second, "the newest generation to be served", func() (bool, error) {
		g, err := servedGeneration(s.ctx, s.client)
		return g == state.Generation, err
	})
	return state.Generation
}

// servedGeneration is what the data plane says of the example's tag; 0 is nothing.
func servedGeneration(ctx context.Context, c *flights.Client) (int64, error) {
	var list struct {
		Models []struct {
			Tag        string `json:"tag"`
			Generation int64  `json:"generation"`
		} `json:"models"`
	}
	err := c.Call(ctx, http.MethodGet, c.Predict+"/v1/models", "application/json", nil, &list)
	for _, m := range list.Models {
		if m.Tag == flights.TagName {
			return m.Generation, nil
		}
	}
	return 0, err
}
