package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func (s *session) tokenCommand() *cobra.Command {
	var name, expires string
	var roles []string
	c := &cobra.Command{
		Use: "new", Short: "Make a credential and the entry for the file of tokens", Args: cobra.NoArgs,
		Long: `Make a credential. It is printed once and stored nowhere: the entry holds its hash only. Put the entry into the array
of the file that the server's --tokens names.`,
		Example: "  signalbox token new --name orders-service --role producer\n  signalbox token new --name kelley --role trainer --role promoter --expires 90d",
		RunE:    func(*cobra.Command, []string) error { return s.newToken(name, roles, expires) },
	}
	c.Flags().StringVar(&name, "name", "", "whose it is; it stands in the history of what the token does")
	c.Flags().StringArrayVar(&roles, "role", nil, "what it may do: viewer, predictor, producer, trainer, promoter or admin; may be repeated")
	c.Flags().StringVar(&expires, "expires", "", "how long it is good for, such as 12h or 90d; for ever where absent")
	need(c, "name", "role")
	complete(c, "role", func(context.Context) ([]string, error) {
		var names []string
		for _, r := range auth.Roles() {
			names = append(names, string(r))
		}
		return names, nil
	})
	return group("token", "Make credentials", c)
}

func (s *session) newToken(name string, roles []string, expires string) error {
	list := make([]auth.Role, len(roles))
	for i, r := range roles {
		list[i] = auth.Role(r)
	}
	text, entry, err := auth.NewToken(name, list...)
	if err != nil {
		return err
	}
	if expires != "" {
		var d spec.Duration
		if err := d.UnmarshalText([]byte(expires)); err != nil || d == 0 {
			return fmt.Errorf("--expires %q: want a form such as 12h or 90d", expires)
		}
		at := time.Now().Add(d.D()).UTC().Truncate(time.Second)
		entry.Expires = &at
	}
	if s.output == formatJSON {
		return s.json(struct {
			Token string     `json:"token"`
			Entry auth.Token `json:"entry"`
		}{text, entry})
	}
	line, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "token (shown once):          %s\nentry for the tokens file:   %s\n", text, line)
	return err
}
