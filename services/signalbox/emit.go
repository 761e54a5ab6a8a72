package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// single is an event that flags describe.
type single struct{ typ, id, source, subject, data string }

func (s *session) emitCommand() *cobra.Command {
	var file string
	var one single
	c := &cobra.Command{
		Use: "emit [-f FILE|-]", Short: "Publish events",
		Long: `Publish events: one that flags describe, or CloudEvents of a file, as an array or one after another (JSON lines).
For each event its position in the log and its id are printed. What failed can be sent again: an event with the same
source and id is the same event. Without --id an event of flags gets an id that no other has; errors name it.`,
		Example: `  signalbox emit --type order.paid --subject o-17 --event-data '{"order_id": "o-17", "amount": 12.5}'` + "\n  signalbox emit -f events.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return s.emitOne(c, one)
			}
			in, closer, err := s.open(file)
			if err != nil {
				return err
			}
			defer closer()
			return s.emit(c, in, "")
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "file of CloudEvents in JSON, - for stdin")
	f.StringVar(&one.typ, "type", "", "type of one event")
	f.StringVar(&one.id, "id", "", "id of that event, to send it again; a new one where absent")
	f.StringVar(&one.source, "source", "/signalbox-cli", "source of that event")
	f.StringVar(&one.subject, "subject", "", "subject of that event: what it is about, and its key in the log")
	// Not --data: that is the running stack's directory, for every command.
	f.StringVar(&one.data, "event-data", "", "data of that event, JSON")
	c.MarkFlagsMutuallyExclusive("file", "type")
	c.MarkFlagsMutuallyExclusive("file", "event-data")
	c.MarkFlagsMutuallyExclusive("file", "id")
	c.MarkFlagsMutuallyExclusive("file", "source")
	c.MarkFlagsMutuallyExclusive("file", "subject")
	c.MarkFlagsRequiredTogether("type", "event-data")
	c.MarkFlagsOneRequired("file", "type")
	return c
}

// emitOne publishes the event that flags describe.
func (s *session) emitOne(c *cobra.Command, one single) error {
	if !json.Valid([]byte(one.data)) {
		return errors.New("--event-data is not JSON: quote it for the shell, such as --event-data '{\"amount\": 12.5}'")
	}
	if one.id == "" && c.Flags().Changed("id") {
		return errors.New("--id is empty: name the event's id, or leave the flag out for a new one")
	}
	ev, err := events.New(one.typ, one.source, one.subject, one.id, time.Now(), json.RawMessage(one.data))
	if err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	b, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	return s.emit(c, bytes.NewReader(b), ev.ID())
}

// emit publishes in requests of as many events as fit, one request after the other so that order is kept. id is that of the
// one event that there is; "" where there may be more.
func (s *session) emit(c *cobra.Command, in io.Reader, id string) error {
	client, err := s.control()
	if err != nil {
		return err
	}
	objects, err := newObjectReader(in, "event")
	if err != nil {
		return err
	}
	r := &batches{objects: objects}
	all := []remote.EmitResult{}
	var fault error
	for {
		first := r.read
		batch, err := r.next()
		if len(batch) == 0 && err == nil {
			break
		}
		if err != nil {
			fault = fmt.Errorf("%w; nothing from event %d on was sent", err, first+1)
			break
		}
		results, err := client.EmitJSON(c.Context(), joined(batch))
		if err == nil && len(results) != len(batch) {
			err = fmt.Errorf("the server answered for %d events", len(results))
		}
		if err != nil {
			fault = unanswered(first+1, r.read, id, err)
			break
		}
		for i := range results {
			results[i].Index = first + i
		}
		s.positions(results)
		all = append(all, results...)
	}
	if s.output == formatJSON {
		fault = errors.Join(fault, s.json(map[string][]remote.EmitResult{"results": all}))
	}
	return errors.Join(refused(all), fault)
}

// unanswered says what is known of a request that got no results. Whoever wants to send the event of flags again has to know
// its id, which may be nowhere else.
func unanswered(first, last int, id string, err error) error {
	what, known := fmt.Sprintf("events %d to %d", first, last), "none of them is in the log"
	unknown := "what became of them is not known: send them again with the same ids"
	if id != "" {
		what, known = "event "+plain(id), "it is not in the log"
		unknown = "what became of it is not known: send it again with --id " + plain(id)
	}
	then := unknown
	var refused *remote.Error
	if errors.As(err, &refused) && refused.Status/100 == 4 {
		then = known
	}
	return fmt.Errorf("emit %s: %w: %s", what, err, then)
}

// positions prints what was accepted, as it comes.
func (s *session) positions(results []remote.EmitResult) {
	if s.output == formatJSON {
		return
	}
	for _, r := range results {
		if r.Status/100 == 2 {
			fmt.Fprintf(s.stdout, "%s  %s\n", plain(r.Position), plain(r.ID))
		}
	}
}

// refused says which events are not in the log. Events count from 1, as lines of a file do.
func refused(results []remote.EmitResult) error {
	const most = 10
	var words []string
	n := 0
	for _, r := range results {
		if r.Status/100 == 2 {
			continue
		}
		if n++; n > most {
			continue
		}
		text := fmt.Sprintf("event %d (id %s): %d %s: %s", r.Index+1, r.ID, r.Status, r.Code, r.Detail)
		if r.Retryable {
			text += " (may be sent again)"
		}
		words = append(words, text)
	}
	if n == 0 {
		return nil
	}
	if n > most {
		words = append(words, fmt.Sprintf("and %d more", n-most))
	}
	return fmt.Errorf("%d of %d events are not in the log:\n  %s", n, len(results), strings.Join(words, "\n  "))
}
