package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

func (s *session) applyCommand() *cobra.Command {
	var file string
	var dryRun bool
	c := &cobra.Command{
		Use: "apply -f FILE|DIR|-", Short: "Declare streams, datasets, workflows and models",
		Long: `Declare streams, datasets, workflows and models. All documents of all files are taken together: either everything is
right, or nothing is changed. A workflow's files may name a Python file by its path from the document's folder; its
content is sent along.`,
		Example: "  signalbox apply -f specs/\n  signalbox apply -f model.yaml --dry-run",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return s.apply(c, file, dryRun) },
	}
	c.Flags().StringVarP(&file, "file", "f", "", "file or directory of YAML or JSON documents, - for stdin")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	need(c, "file")
	return c
}

func (s *session) apply(c *cobra.Command, file string, dryRun bool) error {
	docs, err := s.documents(file)
	if err != nil {
		return err
	}
	client, err := s.control()
	if err != nil {
		return err
	}
	list := make([]spec.Document, len(docs))
	for i, d := range docs {
		list[i] = d.Document
	}
	applied, err := client.Apply(c.Context(), list, dryRun)
	if err != nil {
		return fmt.Errorf("apply: %w", located(err, docs))
	}
	return s.print(map[string][]registry.Applied{"applied": applied}, func(t *table) {
		result := "RESULT"
		if dryRun {
			result = "WOULD BE"
		}
		t.row("KIND", "NAME", result, "GENERATION")
		for _, a := range applied {
			t.row(a.Kind, a.Name, a.Result, a.Generation)
		}
	})
}

// located says in which file and document the faults are that the server found.
func located(err error, docs []document) error {
	var refused *remote.Error
	if !errors.As(err, &refused) {
		return err
	}
	var places []string
	for _, f := range faultsOf(refused) {
		rest, ok := strings.CutPrefix(f.Pointer, "/documents/")
		index, _, _ := strings.Cut(rest, "/")
		n, bad := strconv.Atoi(index)
		if !ok || bad != nil || n < 0 || n >= len(docs) {
			continue
		}
		place := fmt.Sprintf("/documents/%d is %s %s in %s", n, docs[n].Kind, docs[n].Metadata.Name, docs[n].file)
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(places, "; "))
}
