package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema/mirror"
	"github.com/signalbox-ml/signalbox/events/schema/versions"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/schemas"
)

// pushFlags say where schemas go, and which.
type pushFlags struct {
	registry, user, passwordFile, caFile string
	compatibility, topic                 string
	lifecycle, dryRun                    bool
}

func (s *session) schemaPush() *cobra.Command {
	var f pushFlags
	c := &cobra.Command{
		Use: "push [DIR]", Short: "Mirror schemas to a schema registry", Args: cobra.MaximumNArgs(1),
		Long: `Register the schemas of the running service's streams, or those of DIR, in a schema registry with Confluent's API. What
the registry has stays as it is; a repeat registers nothing.

The subject is <topic>-<type> (TopicRecordNameStrategy), with -v<major> after it from the second major on. Its level of
compatibility becomes NONE: changes were judged by schema check and apply, and a registry's own rule for JSON Schema
refuses every member that is added to an open object.`,
		Example: "  signalbox schema push --registry https://registry.example:8081 --user signalbox --password-file pw --dry-run\n" +
			"  signalbox schema push schemas --topic events.orders --registry http://127.0.0.1:8081",
		RunE: func(c *cobra.Command, args []string) error { return s.pushSchemas(c.Context(), args, f) },
	}
	c.Flags().StringVar(&f.registry, "registry", "", "address of the registry, with the path that its API starts at (required)")
	c.Flags().StringVar(&f.user, "user", "", "user for basic authentication")
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "file with the user's password")
	c.Flags().StringVar(&f.caFile, "ca-file", "", "file with the authorities to trust, PEM (default those of the system)")
	c.Flags().StringVar(&f.compatibility, "compatibility", "", "level that subjects get (default NONE)")
	c.Flags().StringVar(&f.topic, "topic", "", "topic of the types of DIR that are not Signalbox's own")
	c.Flags().BoolVar(&f.lifecycle, "lifecycle", false, "Signalbox's own types as well")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what is missing")
	_ = c.MarkFlagRequired("registry") // the flag is there
	return c
}

func (s *session) pushSchemas(ctx context.Context, args []string, f pushFlags) error {
	m, err := f.mirror()
	if err != nil {
		return err
	}
	subjects, err := s.subjects(ctx, args, f)
	if err != nil {
		return fmt.Errorf("schema push: %w", err)
	}
	results, err := m.Push(ctx, subjects, f.dryRun)
	if results == nil {
		results = []mirror.Result{}
	}
	printed := s.print(map[string][]mirror.Result{"schemas": results}, func(t *table) {
		t.row("SUBJECT", "VERSION", "RESULT")
		for _, r := range results {
			t.row(r.Subject, r.Version, r.Result)
		}
	})
	return errors.Join(err, printed)
}

func (f pushFlags) mirror() (*mirror.Mirror, error) {
	cfg := mirror.Config{URL: f.registry, User: f.user, Compatibility: f.compatibility}
	if f.passwordFile != "" {
		b, err := os.ReadFile(f.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("--password-file: %w", err)
		}
		cfg.Password = strings.TrimSpace(string(b))
	}
	if f.caFile != "" {
		var err error
		if cfg.CA, err = os.ReadFile(f.caFile); err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
	}
	return mirror.New(cfg)
}

// subjects lists what is to be mirrored.
func (s *session) subjects(ctx context.Context, args []string, f pushFlags) ([]mirror.Subject, error) {
	var out []mirror.Subject
	var err error
	switch {
	case len(args) > 0:
		out, err = subjectsOf(os.DirFS(args[0]), f.topic)
	case f.topic != "":
		return nil, errors.New("--topic is for the types of a directory: name one")
	default:
		out, err = s.streamSubjects(ctx)
	}
	if err != nil || !f.lifecycle {
		return out, err
	}
	own, err := subjectsOf(schemas.Events, "")
	return append(out, own...), err
}

// subjectsOf reads a directory of schemas. Types that are not Signalbox's own are those of topic.
func subjectsOf(dir fs.FS, topic string) ([]mirror.Subject, error) {
	all, faults, err := versions.Read(dir)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %s: see `signalbox schema check`", faults[0].File, faults[0].Detail)
	}
	var out []mirror.Subject
	for _, v := range all {
		on, own := events.TopicOf(v.Type)
		if !own {
			if on = topic; on == "" {
				return nil, fmt.Errorf("the topic of %s is not known: name it with --topic, such as %s", v.Type, events.StreamTopic("orders"))
			}
		}
		name := mirror.SubjectName(on, v.Type, v.Major)
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, mirror.Subject{Name: name})
		}
		last := &out[len(out)-1]
		last.Versions = append(last.Versions, mirror.Version{Name: v.Name(), Text: v.Schema})
	}
	return out, nil
}

// streamSubjects reads the streams that are declared. The registry knows one version of each type, the one in force.
func (s *session) streamSubjects(ctx context.Context) ([]mirror.Subject, error) {
	client, err := s.control()
	if err != nil {
		return nil, err
	}
	list, err := client.ListSpecs(ctx, spec.KindStream)
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	var out []mirror.Subject
	for _, v := range list {
		stream, err := spec.Read[spec.Stream](v.Body)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", v.Name, err)
		}
		for _, typ := range slices.Sorted(maps.Keys(stream.Types)) {
			out = append(out, mirror.Subject{
				Name:     mirror.SubjectName(events.StreamTopic(v.Name), typ, 1),
				Versions: []mirror.Version{{Name: fmt.Sprintf("%s generation %d", v.Name, v.Generation), Text: stream.Types[typ].Schema}},
			})
		}
	}
	return out, nil
}
