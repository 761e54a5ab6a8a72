package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// What A8 asks for.
const (
	mostCost     = 0.35 // of the best peer's
	mostMemory   = 500e6
	mostRecovery = 10 * time.Second
)

// publish writes the goal's rows and the tables of all archivers.
func (b *bench) publish(chosen []archiver) error {
	var all []*taken
	for _, a := range chosen {
		if t := b.took[a.about().name]; t != nil {
			all = append(all, t)
		}
	}
	b.report.Add(goals(all)...)
	b.report.Note("%s", costs(all))
	b.report.Note("%s", kills(all))
	b.report.Note("%d CloudEvents of %d types in 4 partitions; 50,000 rows or 10 s a file where that can be set, %s 10 s and its defaults. "+
		"Processor time is the archiver's own, when all rows are in objects that a reader finds; marginal leaves the start out, by a topic with a tenth of "+
		"the records. Each kill -9 comes when MinIO has the object and the archiver does not know it; recovery is from there to its next object "+
		"or commit, for which one with less left than a file waits until that is old enough. Medians, and the most memory and the longest recovery, of %d.", b.n, b.types, "Signalbox", b.rounds)
	return b.report.Publish(b.results, "archive-peers")
}

// goals are the rows of A8, those for which there are figures.
func goals(all []*taken) (rows []figures.Row) {
	var ours *taken
	best := map[string]*taken{} // peer by what it is best at
	for _, t := range all {
		if t.label.name == "signalbox" {
			ours = t
			continue
		}
		for what, less := range figuresOf() {
			if v := less(t); v > 0 && (best[what] == nil || v < less(best[what])) {
				best[what] = t
			}
		}
	}
	if ours == nil {
		return nil
	}
	if peer := best["marginal"]; peer != nil && ours.marginal() > 0 {
		ratio := ours.marginal() / peer.marginal()
		rows = append(rows, figures.Row{Goal: "A8", What: "processor time of a million more records", Numerator: fmt.Sprintf("%.1f s", ours.marginal()),
			Denominator: fmt.Sprintf("%.1f s: %s", peer.marginal(), peer.label.title), Ratio: ratio, Limit: fmt.Sprintf("<= %.2f", mostCost), Met: ratio <= mostCost})
	}
	if ours.peak() > 0 {
		row := figures.Row{Goal: "A8", What: "most memory", Numerator: megabytes(ours.peak()), Limit: "< " + megabytes(mostMemory), Met: ours.peak() < mostMemory}
		rows = append(rows, against(row, ours.peak(), best["peak"], (*taken).peak, megabytes))
	}
	if ours.deaths() == 0 {
		return rows
	}
	row := figures.Row{Goal: "A8", What: "longest from a kill to the next object", Numerator: inSeconds(ours.recovery().Seconds()),
		Limit: "<= " + inSeconds(mostRecovery.Seconds()), Met: ours.recovery() > 0 && ours.recovery() <= mostRecovery}
	rows = append(rows, against(row, figuresOf()["recovery"](ours), best["recovery"], figuresOf()["recovery"], inSeconds))
	row = figures.Row{Goal: "A8", What: "of it until it has partitions again", Numerator: inSeconds(ours.idle().Seconds())}
	rows = append(rows, against(row, figuresOf()["idle"](ours), best["idle"], figuresOf()["idle"], inSeconds))
	lost, doubled := ours.wrong()
	return append(rows, figures.Row{Goal: "A8", What: fmt.Sprintf("lost and doubled, %d kills between object and commit", ours.deaths()),
		Numerator: fmt.Sprintf("%d and %d", lost, doubled), Denominator: others(all), Limit: "0 and 0", Met: lost == 0 && doubled == 0})
}

// figuresOf are those in which less is better.
func figuresOf() map[string]func(*taken) float64 {
	return map[string]func(*taken) float64{
		"marginal": (*taken).marginal, "peak": (*taken).peak,
		"recovery": func(t *taken) float64 { return t.recovery().Seconds() }, "idle": func(t *taken) float64 { return t.idle().Seconds() },
	}
}

// against shows the best peer's figure beside ours.
func against(row figures.Row, ours float64, peer *taken, figure func(*taken) float64, show func(float64) string) figures.Row {
	if peer != nil {
		row.Denominator, row.Ratio = show(figure(peer))+": "+peer.label.title, ours/figure(peer)
	}
	return row
}

// others says what the peers lost and doubled.
func others(all []*taken) string {
	var said []string
	for _, t := range all {
		if lost, doubled := t.wrong(); t.label.name != "signalbox" && len(t.victims) > 0 {
			said = append(said, fmt.Sprintf("%s %d and %d", t.label.name, lost, doubled))
		}
	}
	return strings.Join(said, ", ")
}

// costs is the table of undisturbed runs.
func costs(all []*taken) string {
	var b strings.Builder
	b.WriteString("| archiver | guarantee | CPU-s per million | of it until it has partitions | marginal | peak MB | records/s, start included | files | longest recovery s | lost | doubled |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range all {
		wrong := "- | -"
		if lost, doubled := t.wrong(); len(t.victims) > 0 {
			wrong = fmt.Sprintf("%d | %d", lost, doubled)
		}
		m := t.series.Medians()
		rate := 0.0
		if m["wall"] > 0 {
			rate = math.Round(float64(t.records) / m["wall"])
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f | %.1f | %.0f | %.0f | %.0f | %s | %s |\n", t.label.title, t.label.guarantee, t.million(), m["start"],
			t.marginal(), t.peak()/1e6, rate, m["files"], seconds(t.recovery()), wrong)
	}
	return strings.TrimSpace(b.String())
}

// kills is the table of the others, a row for each.
func kills(all []*taken) string {
	var b strings.Builder
	b.WriteString("| archiver | killed when MinIO had | rows archived then | offsets committed then | partitions again after s | recovery s | rows at the end | lost | doubled | objects that count for nothing | CPU-s of its lives | peak MB |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range all {
		for _, v := range t.victims {
			var what, rows, committed, partition, recovery []string
			for _, d := range v.deaths {
				what = append(what, fmt.Sprintf("%s (%d)", d.aim.what, d.aim.nth))
				rows, committed = append(rows, fmt.Sprint(d.rows)), append(committed, fmt.Sprint(d.committed))
				partition, recovery = append(partition, seconds(d.partition)), append(recovery, seconds(d.recovery))
			}
			list := func(s []string) string { return strings.Join(s, "; ") }
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d | %d | %d | %d | %.1f | %.0f |\n", t.label.name, list(what), list(rows), list(committed),
				list(partition), list(recovery), v.rows, v.lost, v.doubled, v.orphans, v.cpu.Seconds(), float64(v.peak)/1e6)
		}
	}
	return strings.TrimSpace(b.String())
}

func inSeconds(v float64) string { return fmt.Sprintf("%.1f s", v) }

func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v/1e6) }
