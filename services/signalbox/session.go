package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry/remote"
)

// session is one use of the command line: its streams, its environment and the flags that all commands share.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(string) (string, bool) // an environment variable
	poll           time.Duration               // between two looks at something that is waited for

	url, predictURL, token, data string
	output                       format
}

func newSession(stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) *session {
	return &session{stdin: stdin, stdout: stdout, stderr: stderr, lookup: lookup, poll: time.Second, output: formatText}
}

// bind gives root the flags that every command has.
func (s *session) bind(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&s.url, "url", "", "address of the control plane (default $SIGNALBOX_URL, else that of the running stack)")
	f.StringVar(&s.predictURL, "predict-url", "", "address for predictions (default $SIGNALBOX_PREDICT_URL, else that of the running stack)")
	f.StringVar(&s.token, "token", "", "credential; others can see it in the list of processes, so prefer $SIGNALBOX_TOKEN")
	f.StringVar(&s.data, "data", "", "directory of the running stack (default $SIGNALBOX_DATA, else ./signalbox-data); goes before $SIGNALBOX_URL")
	f.VarP(&s.output, "output", "o", "text for people, json for programs")
	complete(root, "output", func(context.Context) ([]string, error) { return []string{formatText, formatJSON}, nil })
}

// clientCommands are the commands that talk to a running stack, and those that need none.
func clientCommands(s *session) []*cobra.Command {
	return []*cobra.Command{
		s.applyCommand(), s.specsCommand(), s.emitCommand(), s.archiveCommand(), s.dlqCommand(), s.datasetCommand(), s.trainCommand(),
		s.runsCommand(), s.sweepsCommand(), s.packagesCommand(), s.tagCommand(), s.predictCommand(), s.lineageCommand(), s.tokenCommand(),
		s.schemaCommand(), s.envCommand(),
	}
}

// setting returns a flag's value, else the variable's.
func (s *session) setting(flag, variable string) string {
	v, _ := s.lookup(variable)
	return cmp.Or(flag, v)
}

// dir is the directory in which a running stack says where it is.
func (s *session) dir() string { return cmp.Or(s.setting(s.data, "SIGNALBOX_DATA"), "signalbox-data") }

// address is a flag, or the variable unless --data names a stack: what stands in the command line comes first.
func (s *session) address(flag, variable string) string {
	if s.data != "" {
		return flag
	}
	return s.setting(flag, variable)
}

// control returns a client of the control plane.
func (s *session) control() (*remote.Client, error) {
	return s.client(s.address(s.url, "SIGNALBOX_URL"), func(e Endpoints) string { return e.Control })
}

// predictor returns a client of the data plane.
func (s *session) predictor() (*remote.Client, error) {
	address := s.address(s.predictURL, "SIGNALBOX_PREDICT_URL")
	if address == "" && s.address(s.url, "SIGNALBOX_URL") != "" {
		// A local stack's models must not answer for the ones of the address that was named.
		return nil, errors.New("the address for predictions is not known: set SIGNALBOX_PREDICT_URL or --predict-url, as SIGNALBOX_URL or --url is set")
	}
	return s.client(address, func(e Endpoints) string { return e.Predict })
}

// client connects to address, or to the running stack where there is none. A stack's own token goes to that stack and
// to nobody else.
func (s *session) client(address string, of func(Endpoints) string) (*remote.Client, error) {
	if address != "" {
		return remote.New(remote.Config{URL: address, Token: s.setting(s.token, "SIGNALBOX_TOKEN")})
	}
	e, err := readEndpoints(s.dir())
	if err != nil {
		return nil, err
	}
	return remote.New(remote.Config{URL: of(e), Token: cmp.Or(s.address(s.token, "SIGNALBOX_TOKEN"), e.Token)})
}

// group returns a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("say what to do: see `%s --help`", c.CommandPath())
		},
	}
	c.AddCommand(children...)
	return c
}

// need marks flags that a command cannot do without.
func need(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // a fault of the program, which every start of it finds
		}
	}
}
