package main

import (
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// taken is what all runs of one archiver took.
type taken struct {
	label   about
	records int // of the large topic
	series  figures.Series
	victims []victim
}

// of returns what an archiver took so far.
func (b *bench) of(a archiver) *taken {
	name := a.about().name
	if b.took[name] == nil {
		b.took[name] = &taken{label: a.about(), records: b.n, series: figures.Series{}}
	}
	return b.took[name]
}

// add keeps an undisturbed run.
func (t *taken) add(c cost, large bool) {
	if !large {
		t.series.Add("few", c.cpu.Seconds())
		return
	}
	t.series.Add("cpu", c.cpu.Seconds())
	t.series.Add("start", c.start.Seconds())
	t.series.Add("wall", c.wall.Seconds())
	t.series.Add("peak", float64(c.peak))
	t.series.Add("files", float64(c.files))
}

// million is the processor time for a million records, seconds, the start included.
func (t *taken) million() float64 {
	return figures.Median(t.series["cpu"]) * 1e6 / float64(t.records)
}

// marginal is the processor time for a million more, seconds; 0 before both topics were archived.
func (t *taken) marginal() float64 {
	if len(t.series["few"]) == 0 || len(t.series["cpu"]) == 0 {
		return 0
	}
	return (figures.Median(t.series["cpu"]) - figures.Median(t.series["few"])) * 1e6 / float64(t.records-t.records/few)
}

// peak is the most memory of any undisturbed run, bytes.
func (t *taken) peak() float64 { return figures.Quantile(t.series["peak"], 1) }

// recovery is the longest of all kills; 0 without any.
func (t *taken) recovery() (longest time.Duration) {
	for _, v := range t.victims {
		for _, d := range v.deaths {
			longest = max(longest, d.recovery)
		}
	}
	return longest
}

// idle is the longest from a kill to having partitions again; 0 without any.
func (t *taken) idle() (longest time.Duration) {
	for _, v := range t.victims {
		for _, d := range v.deaths {
			longest = max(longest, d.partition)
		}
	}
	return longest
}

// wrong sums what is lost or doubled, over all runs with kills.
func (t *taken) wrong() (lost int, doubled int64) {
	for _, v := range t.victims {
		lost, doubled = lost+v.lost, doubled+v.doubled
	}
	return lost, doubled
}

// deaths are all kills of it.
func (t *taken) deaths() (n int) {
	for _, v := range t.victims {
		n += len(v.deaths)
	}
	return n
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}
