package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) packagesCommand() *cobra.Command {
	return group("packages", "Look at packages and fetch them", s.packagesLs(),
		s.packageCommand("get PACKAGE", "Print a package's manifest", 1, s.packageManifest),
		s.packageCommand("files PACKAGE", "List a package's files", 1, s.packageFiles),
		s.packageCommand("download PACKAGE DIR", "Fetch a package's files into a new folder, checked against its digest", 2, s.download),
		s.packageCommand("attestations PACKAGE", "List what is said about a package: how it was made, how it was judged", 1, s.attestations))
}

// packageCommand is a command about one package.
func (s *session) packageCommand(use, short string, args int, do func(context.Context, *remote.Client, cas.Digest, []string) error) *cobra.Command {
	verb, rest, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		Example: "  signalbox packages " + verb + strings.NewReplacer("PACKAGE", "sha256.…", "DIR", "model/").Replace(" "+rest),
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return arguments(s.packages())(c, args, prefix)
		},
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cas.Parse(args[0])
			if err != nil {
				return err
			}
			client, err := s.control()
			if err != nil {
				return err
			}
			if err := do(c.Context(), client, id, args[1:]); err != nil {
				return fmt.Errorf("packages %s %s: %w", verb, id, err)
			}
			return nil
		},
	}
}

func (s *session) packagesLs() *cobra.Command {
	var model string
	var limit int
	c := &cobra.Command{
		Use: "ls", Short: "List packages, newest first", Args: cobra.NoArgs,
		Example: "  signalbox packages ls --model flight-delay --limit 5",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			list, err := client.ListPackages(c.Context(), registry.PackageFilter{Model: registry.ModelName(model), Limit: limit})
			if err != nil {
				return fmt.Errorf("list packages: %w", err)
			}
			return s.print(map[string][]registry.Package{"packages": list}, func(t *table) {
				t.row("MODEL", "FORMAT", "BYTES", "CREATED", "PACKAGE")
				for _, p := range list {
					t.row(p.Model, p.Format, p.Size, p.Created, p.ID)
				}
			})
		},
	}
	c.Flags().StringVar(&model, "model", "", "only packages of this model")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many")
	complete(c, "model", s.models())
	return c
}

// packageManifest prints the exact bytes, whose digest is the package's name, unless they are meant for people.
func (s *session) packageManifest(ctx context.Context, c *remote.Client, id cas.Digest, _ []string) error {
	b, err := c.Package(ctx, id)
	if err != nil {
		return err
	}
	if s.output == formatJSON {
		_, err = s.stdout.Write(b)
		return err
	}
	m, err := manifest.DecodePackage(b)
	if err != nil {
		return err
	}
	return s.print(nil, func(t *table) {
		t.facts("package", id, "bytes", m.Size(), "config", m.Config.Digest)
		t.row()
		t.row("FILE", "BYTES", "DIGEST")
		for _, l := range m.Layers {
			t.row(l.Path, l.Size, l.Digest)
		}
	})
}

func (s *session) packageFiles(ctx context.Context, c *remote.Client, id cas.Digest, _ []string) error {
	f, err := c.PackageFiles(ctx, id)
	if err != nil {
		return err
	}
	return s.print(f, func(t *table) {
		t.row("FILE", "BYTES", "DIGEST")
		for _, l := range f.Files {
			t.row(l.Path, l.Size, l.Digest)
		}
	})
}

func (s *session) attestations(ctx context.Context, c *remote.Client, id cas.Digest, _ []string) error {
	list, err := c.Attestations(ctx, id)
	if err != nil {
		return err
	}
	return s.print(map[string][]registry.Attestation{"attestations": list}, func(t *table) {
		t.row("CREATED", "TYPE", "SAYS", "ID")
		for _, a := range list {
			t.row(a.Created, a.Type, gist(a), a.ID)
		}
	})
}

// gist is an attestation in a few words.
func gist(a registry.Attestation) string {
	switch a.Type {
	case registry.AttestEvaluation:
		var e manifest.Evaluation
		if json.Unmarshal(a.Body, &e) == nil {
			return strings.Join(append([]string{e.Decision + " for " + e.Tag}, e.Reasons...), "; ")
		}
	case registry.AttestProvenance:
		var p registry.Provenance
		if json.Unmarshal(a.Body, &p) == nil {
			return fmt.Sprintf("run %s, attempt %d", p.Run, p.Attempt)
		}
	}
	return fmt.Sprintf("%d bytes", len(a.Body))
}
