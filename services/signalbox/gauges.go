package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
)

// observe exports an archiver's figures. Totals begin at zero with the process, as counters do.
func observe(stats func() archive.Stats) error {
	m := otel.Meter("github.com/signalbox-ml/signalbox/consumers/archive")
	var faults []error
	counter := func(name, description string) metric.Int64ObservableCounter {
		c, err := m.Int64ObservableCounter(name, metric.WithDescription(description))
		faults = append(faults, err)
		return c
	}
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		faults = append(faults, err)
		return g
	}
	records := counter("signalbox.archive.records", "Records that a committed flush holds.")
	flushes := counter("signalbox.archive.flushes", "Flushes that were committed.")
	files := counter("signalbox.archive.files", "Files of committed flushes.")
	size := counter("signalbox.archive.bytes", "Bytes of those files.")
	retries := counter("signalbox.archive.retries", "Calls to the bucket or the ledger that failed and are made again.")
	fenced := counter("signalbox.archive.fenced", "Claims of partitions that somebody else took over.")
	lost := counter("signalbox.archive.lost", "Offsets that retention removed before they were read.")
	conflicts := counter("signalbox.archive.conflicts", "Keys that held other bytes than were to be written.")
	late := counter("signalbox.archive.late", "Records older than what counted as complete: a clock is wrong.")
	partitions := gauge("signalbox.archive.partitions", "{partition}", "Partitions that this process archives now.")
	buffered := gauge("signalbox.archive.buffered", "By", "Bytes of records in memory.")
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := stats()
		o.ObserveInt64(records, s.Records)
		o.ObserveInt64(flushes, s.Flushes)
		o.ObserveInt64(files, s.Files)
		o.ObserveInt64(size, s.Bytes)
		o.ObserveInt64(retries, s.Retries)
		o.ObserveInt64(fenced, s.Fenced)
		o.ObserveInt64(lost, s.Lost)
		o.ObserveInt64(conflicts, s.Conflicts)
		o.ObserveInt64(late, s.Late)
		o.ObserveInt64(partitions, int64(s.Partitions))
		o.ObserveInt64(buffered, s.Buffered)
		return nil
	}, records, flushes, files, size, retries, fenced, lost, conflicts, late, partitions, buffered)
	return errors.Join(append(faults, err)...)
}

// observeCompact exports a compactor's figures.
func observeCompact(stats func() compact.Stats) error {
	m := otel.Meter("github.com/signalbox-ml/signalbox/consumers/archive/compact")
	figures := []struct {
		name, description string
		of                func(compact.Stats) int64
	}{
		{"compactions", "Swaps that put merged files in the place of others.", func(s compact.Stats) int64 { return s.Compactions }},
		{"files_before", "Files that those replaced.", func(s compact.Stats) int64 { return s.FilesBefore }},
		{"files_after", "Files that those added.", func(s compact.Stats) int64 { return s.FilesAfter }},
		{"bytes_before", "Bytes of the files that were replaced.", func(s compact.Stats) int64 { return s.BytesBefore }},
		{"bytes_after", "Bytes of the files that were added.", func(s compact.Stats) int64 { return s.BytesAfter }},
		{"rows", "Rows of the files that were added.", func(s compact.Stats) int64 { return s.Rows }},
		{"duplicates", "Rows that were left out, because their event is there.", func(s compact.Stats) int64 { return s.Duplicates }},
		{"beaten", "Swaps that another compactor was faster with.", func(s compact.Stats) int64 { return s.Beaten }},
		{"failures", "Merges and purges that failed, and are tried again.", func(s compact.Stats) int64 { return s.Failures }},
		{"purged", "Replaced files that were removed.", func(s compact.Stats) int64 { return s.Purged }},
		{"purged_bytes", "Bytes of those.", func(s compact.Stats) int64 { return s.PurgedBytes }},
		{"spilled_bytes", "Bytes that were written to scratch files.", func(s compact.Stats) int64 { return s.BytesSpilled }},
	}
	var faults []error
	instruments, all := make([]metric.Int64ObservableCounter, len(figures)), make([]metric.Observable, len(figures)+1)
	for i, f := range figures {
		var err error
		instruments[i], err = m.Int64ObservableCounter("signalbox.archive.compact."+f.name, metric.WithDescription(f.description))
		all[i], faults = instruments[i], append(faults, err)
	}
	pinned, err := m.Int64ObservableGauge("signalbox.archive.compact.pinned", metric.WithUnit("{file}"),
		metric.WithDescription("Replaced files that stay, because a dataset was made from them."))
	all[len(figures)] = pinned
	_, err2 := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := stats()
		for i, f := range figures {
			o.ObserveInt64(instruments[i], f.of(s))
		}
		o.ObserveInt64(pinned, s.Pinned)
		return nil
	}, all...)
	return errors.Join(append(faults, err, err2)...)
}
