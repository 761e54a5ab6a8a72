package main

import "github.com/spf13/cobra"

func (s *session) envCommand() *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: "Print the addresses and credentials of the running stack as shell exports", Args: cobra.NoArgs,
		Example: "  eval \"$(signalbox env)\"\n  signalbox env --data /var/lib/signalbox",
		RunE: func(*cobra.Command, []string) error {
			e, err := readEndpoints(s.dir())
			if err != nil {
				return err
			}
			if s.output == formatJSON {
				return s.json(e)
			}
			return e.exports(s.stdout)
		},
	}
}
