package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events/schema/versions"
)

// errSchemaFaults is what `schema check` ends with: the faults were printed.
var errSchemaFaults = errors.New("the schemas are not right: see above")

func (s *session) schemaCommand() *cobra.Command {
	return group("schema", "Check schemas of events and mirror them", s.schemaCheck(), s.schemaPush())
}

// defaultSchemas is the directory of schemas in a repository.
const defaultSchemas = "schemas"

func (s *session) schemaCheck() *cobra.Command {
	var against string
	c := &cobra.Command{
		Use: "check [DIR]", Short: "Check a directory of versioned schemas", Args: cobra.MaximumNArgs(1),
		Long: `Check DIR (schemas), which holds <type>/<major>/<minor>.json and <type>/<major>/examples/<minor>.json, the latter as
{"valid": {<name>: <data>}, "invalid": {<name>: <data>}}:

  every schema is of the subset that is checked, $id ends in /<type>/<major>.<minor>, title is the type
  minors count from 0 and majors from 1 without a gap
  within a major every version can be read with every other: optional members can be added to open objects that
  declare some, all else needs a new major
  every version has examples; valid ones fit all versions of the major, invalid ones do not fit their own

With --against a published file may be neither gone nor changed but for annotations. It needs git, and no stack.`,
		Example: "  signalbox schema check schemas --against origin/main",
		RunE: func(c *cobra.Command, args []string) error {
			return s.checkSchemas(c.Context(), cmp.Or(append(args, "")[0], defaultSchemas), against)
		},
	}
	c.Flags().StringVar(&against, "against", "", "a revision of git with what is published, such as origin/main")
	return c
}

func (s *session) checkSchemas(ctx context.Context, dir, against string) error {
	var published map[string][]byte
	if against != "" {
		var err error
		if published, err = filesOf(ctx, dir, against); err != nil {
			return fmt.Errorf("schema check --against %s: %w", against, err)
		}
	}
	report, err := versions.Check(os.DirFS(dir), published)
	if err != nil {
		return fmt.Errorf("schema check %s: %w", dir, err)
	}
	err = s.print(report, func(t *table) {
		t.row("TYPE", "MAJOR", "VERSIONS", "EXAMPLES")
		for _, c := range report.Types {
			t.row(c.Type, c.Major, c.Versions, c.Examples)
		}
		for _, f := range report.Faults {
			t.row("FAULT", f.File, f.Pointer, f.Detail)
		}
	})
	if err == nil && len(report.Faults) > 0 {
		err = errSchemaFaults
	}
	return err
}
