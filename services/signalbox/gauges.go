package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/consumers/archive"
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
		o.ObserveInt64(partitions, int64(s.Partitions))
		o.ObserveInt64(buffered, s.Buffered)
		return nil
	}, records, flushes, files, size, retries, fenced, lost, partitions, buffered)
	return errors.Join(append(faults, err)...)
}
