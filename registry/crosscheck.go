package registry

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

type specID struct{ kind, name string }

// declarations are all specs there are, or would be.
type declarations map[specID]Spec

func (r *Registry) declared(ctx context.Context) (declarations, error) {
	all, err := r.catalog.ListSpecs(ctx, "")
	if err != nil {
		return nil, err
	}
	out := declarations{}
	for _, s := range all {
		out[specID{s.Kind, s.Name}] = s
	}
	return out, nil
}

func (d declarations) clone() declarations { return maps.Clone(d) }

// of returns the specs of one kind by name.
func (d declarations) of(kind string) map[string]Spec {
	out := map[string]Spec{}
	for id, s := range d {
		if id.kind == kind {
			out[id.name] = s
		}
	}
	return out
}

// each calls f with every spec of a kind that before does not have as it is, by name. What was declared long ago is not
// held against somebody who declares another thing.
func each[T spec.Body](before, after declarations, kind string, f func(name string, body T) error) []error {
	var errs []error
	specs := after.of(kind)
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		s := specs[name]
		if before[specID{kind, name}].Digest == s.Digest {
			continue
		}
		body, err := spec.Read[T](s.Body)
		if err == nil {
			err = f(name, body)
		}
		if err != nil {
			errs = append(errs, named(kind, name, err))
		}
	}
	return errs
}

// crossCheck judges what changes between before and after by what it refers to.
func crossCheck(before, after declarations) []error {
	owner, errs := streamsByType(after)
	errs = append(errs, each(before, after, spec.KindStream, func(name string, s spec.Stream) error {
		return errors.Join(samePartitions(before, name, s), readable(before, name, s))
	})...)
	errs = append(errs, each(before, after, spec.KindDataset, func(_ string, d spec.Dataset) error {
		return knownSources(owner, d)
	})...)
	return append(errs, each(before, after, spec.KindModel, func(_ string, m spec.Model) error {
		train, err := spec.ReadTrain(m.Train)
		if err != nil {
			return err
		}
		_, err = pickWorkflow(after.of(spec.KindWorkflow), train.WorkflowName)
		if errors.Is(err, ErrNotFound) {
			return invalid("/spec/train/workflow_name", "there is no workflow %.100q", train.WorkflowName)
		}
		return err
	})...)
}

// streamsByType maps every CloudEvents type to the stream that takes it.
func streamsByType(all declarations) (map[string]string, []error) {
	owner := map[string]string{}
	errs := each(nil, all, spec.KindStream, func(name string, s spec.Stream) error {
		var errs []error
		for _, typ := range slices.Sorted(maps.Keys(s.Types)) {
			if other, ok := owner[typ]; ok {
				errs = append(errs, invalid("/spec/types/"+manifest.Escape(typ), "the type belongs to the stream %s", other))
				continue
			}
			owner[typ] = name
		}
		return errors.Join(errs...)
	})
	return owner, errs
}

func samePartitions(before declarations, name string, s spec.Stream) error {
	old, ok := before[specID{spec.KindStream, name}]
	if !ok {
		return nil
	}
	was, err := spec.Read[spec.Stream](old.Body)
	if err != nil {
		return err
	}
	if w, n := was.TopicPartitions(), s.TopicPartitions(); w != n {
		return invalid("/spec/partitions", "the stream has %d, and events of one key must stay in order: declare another stream", w)
	}
	return nil
}

// knownSources finds the sources of a dataset that would stay empty for ever.
func knownSources(owner map[string]string, d spec.Dataset) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.Sources)) {
		s := d.Sources[name]
		at := "/spec/sources/" + manifest.Escape(name)
		if topic, ok := events.TopicOf(s.Type); ok {
			if s.Stream != topic {
				errs = append(errs, invalid(at+"/stream", "%s is archived as the stream %s", s.Type, topic))
			}
			continue
		}
		if owner[s.Type] != s.Stream {
			errs = append(errs, invalid(at, "the stream %s has no type %s: declare it", s.Stream, s.Type))
		}
	}
	return errors.Join(errs...)
}
