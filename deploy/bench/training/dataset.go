package main

import (
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// emptyDataset is the manifest of the i-th dataset of a name, each of its own: no job ever reads it, so its one part need
// not exist.
func emptyDataset(name string, i int) manifest.Dataset {
	start := time.Date(2013, 1, 1, 5, 0, 0, 0, time.UTC)
	id := cas.Sum(fmt.Appendf(nil, "%s %d", name, i))
	return manifest.Dataset{
		Name: name, Plan: id, Spec: cas.Sum([]byte("spec")), Compiler: "bench/1",
		Start: start, End: start.Add(time.Duration(i+1) * time.Hour), Watermark: start.Add(time.Duration(i+2) * time.Hour),
		Rows: 1, Columns: columns(), Label: "late",
		Parts: []manifest.Part{{Key: "datasets/" + name + "/" + id.String() + "/part-0.parquet", Digest: id, Bytes: 1, Rows: 1}},
	}
}

// columns are those that the example's model asks for.
func columns() []manifest.Column {
	out := []manifest.Column{{Name: "event_time", Type: manifest.Timestamp}, {Name: "late", Type: manifest.Boolean}}
	for _, name := range []string{"carrier", "origin", "dest"} {
		out = append(out, manifest.Column{Name: name, Type: manifest.String})
	}
	for _, name := range []string{
		"distance", "departure_delay", "scheduled_hour", "precipitation", "visibility", "previous_arrival_delay", "minutes_since_previous_arrival",
	} {
		out = append(out, manifest.Column{Name: name, Type: manifest.Number})
	}
	return out
}
