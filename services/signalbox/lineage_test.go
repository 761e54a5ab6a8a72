package main

import (
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// digest is the digest of a word.
func digest(word string) string { return cas.Sum([]byte(word)).String() }

const (
	runText        = `{"id":"9081e64f-b2c0-455e-bcaa-c1c211fa124b","model":"delay","workflow":"","created_at":"2026-01-02T00:00:00Z"}`
	predictionText = "019a0b7e-3f0a-7c4e-9d2c-5b1d6a0e4c11"
)

func datasetText() string {
	return `{"id":"` + digest("d") + `","name":"flights","rows":7,"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-02T00:00:00Z"}`
}

func sourceText() string {
	return `[{"key":"archive/v1/a.parquet","sha256":"` + digest("s") + `","topic":"events.flights","partition":2,"start":10,"end":20,"rows":10}]`
}

func TestLineageOfAPrediction(t *testing.T) {
	env := serve(t, canned{
		"GET /v1/predictions/" + predictionText + "/lineage": `{"prediction":{"id":"` + predictionText + `","made_at":"2026-01-03T00:00:00Z","model":"delay",
			"tag":"delay/production","generation":7,"package":"` + digest("p") + `","topic":"signalbox.predictions","partition":0,"offset":41,"file":"archive/v1/p.parquet"},
			"package":{"id":"` + digest("p") + `","run":` + runText + `,"dataset":` + datasetText() + `,"sources":` + sourceText() + `,"model":"delay"}}`,
	})
	same(t, execute(t.Context(), env, "", "lineage", predictionText).ok(t), strings.Join([]string{
		"prediction     " + predictionText,
		"made           2026-01-03T00:00:00Z",
		"position       signalbox.predictions/0/41",
		"archive file   archive/v1/p.parquet",
		"model          delay",
		"tag            delay/production",
		"generation     7",
		"package        " + digest("p"),
		"run            9081e64f-b2c0-455e-bcaa-c1c211fa124b",
		"dataset        " + digest("d"),
		"name           flights",
		"rows           7",
		"from           2026-01-01T00:00:00Z",
		"to             2026-01-02T00:00:00Z",
		"",
		"SOURCE             OFFSETS    ROWS   ARCHIVE FILE",
		"events.flights/2   [10, 20)   10     archive/v1/a.parquet",
	}, "\n"))
	out := execute(t.Context(), env, "", "lineage", predictionText, "-o", "json").ok(t)
	for _, want := range []string{`"offset": 41`, `"file": "archive/v1/p.parquet"`, `"key": "archive/v1/a.parquet"`, `"start": 10`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestLineageOfAPackagePublishedByHand(t *testing.T) {
	env := serve(t, canned{
		"GET /v1/predictions/" + predictionText + "/lineage": `{"prediction":{"id":"` + predictionText + `","package":"` + digest("p") + `"},"package":{"run":null,"dataset":null,"sources":[]}}`,
	})
	out := execute(t.Context(), env, "", "lineage", predictionText).ok(t)
	if strings.Contains(out, "run") || strings.Contains(out, "dataset") || !strings.Contains(out, digest("p")) {
		t.Error(out)
	}
}

func TestLineageOfAPackage(t *testing.T) {
	env := serve(t, canned{
		"GET /v1/packages/" + digest("p") + "/lineage": `{"package":{"id":"` + digest("p") + `","model":"delay","created_at":"2026-01-03T00:00:00Z"},
			"tags":[{"tag":"delay/canary","generations":[2],"current":false},{"tag":"delay/production","generations":[3,5],"current":true}],
			"runs":[{"run":` + runText + `,"dataset":{"dataset":` + datasetText() + `,"sources":` + sourceText() + `}}]}`,
	})
	out := execute(t.Context(), env, "", "lineage", digest("p")).ok(t)
	for _, want := range []string{"delay/canary, generation 2\n", "delay/production, generation 3, 5 (now)\n", "9081e64f", digest("d"), "events.flights/2   [10, 20)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestLineageRefuses(t *testing.T) {
	env := serve(t, canned{"GET /v1/predictions/" + predictionText + "/lineage": problem(404, `{"title":"Not Found","detail":"not archived yet or unknown: try again in a few seconds"}`)})
	execute(t.Context(), env, "", "lineage", predictionText).fails(t, "lineage of "+predictionText+": 404 Not Found: not archived yet or unknown")
	execute(t.Context(), env, "", "lineage", digest("none")).fails(t, "404 Not Found")
	execute(t.Context(), env, "", "lineage", "nonsense").fails(t, "want a package, sha256.…, or the id of a prediction")
}

// TestSourcesOfSeveralPartitions: a merged file has a line for each of its partitions, and its name once.
func TestSourcesOfSeveralPartitions(t *testing.T) {
	sources := `[{"key":"archive/v1/c.parquet","sha256":"` + digest("s") + `","topic":"events.flights","partition":-1,"start":3,"end":20,"rows":10,` +
		`"spans":[{"partition":0,"start":3,"end":9},{"partition":2,"start":10,"end":20}]}]`
	env := serve(t, canned{
		"GET /v1/predictions/" + predictionText + "/lineage": `{"prediction":{"id":"` + predictionText + `"},
			"package":{"id":"` + digest("p") + `","run":` + runText + `,"dataset":` + datasetText() + `,"sources":` + sources + `,"model":"delay"}}`,
	})
	_, got, _ := strings.Cut(execute(t.Context(), env, "", "lineage", predictionText).ok(t), "\n\n")
	same(t, got, strings.Join([]string{
		"SOURCE             OFFSETS    ROWS   ARCHIVE FILE",
		"events.flights/0   [3, 9)     10     archive/v1/c.parquet",
		"events.flights/2   [10, 20)   -      -",
	}, "\n"))
}
