package kafka

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecurityIsValidated(t *testing.T) {
	tls := TLS{Enabled: true}
	for name, c := range map[string]struct {
		sasl  SASL
		tls   TLS
		group string
		want  []string // empty: fine
	}{
		"nothing":                {},
		"PLAIN over TLS":         {sasl: SASL{Mechanism: Plain, User: "u", Password: "p"}, tls: tls},
		"SCRAM in the open":      {sasl: SASL{Mechanism: ScramSHA256, User: "u", PasswordFile: "f"}},
		"PLAIN declared open":    {sasl: SASL{Mechanism: Plain, User: "u", Password: "p", Insecure: true}},
		"consumer protocol":      {group: GroupConsumer},
		"PLAIN in the open":      {sasl: SASL{Mechanism: Plain, User: "u", Password: "p"}, want: []string{"without TLS"}},
		"no mechanism":           {sasl: SASL{User: "u"}, want: []string{"SASL.Mechanism is empty"}},
		"unknown mechanism":      {sasl: SASL{Mechanism: "GSSAPI", User: "u", Password: "p"}, want: []string{`"GSSAPI"`}},
		"no user, no password":   {sasl: SASL{Mechanism: Plain}, want: []string{"SASL.User", "one of Password and PasswordFile", "without TLS"}},
		"two passwords":          {sasl: SASL{Mechanism: ScramSHA512, User: "u", Password: "p", PasswordFile: "f"}, want: []string{"one of"}},
		"TLS not enabled":        {tls: TLS{CAFile: "ca"}, want: []string{"TLS.Enabled is not"}},
		"a key of nothing":       {tls: TLS{Enabled: true, KeyFile: "k"}, want: []string{"without TLS.CertFile"}},
		"a certificate alone":    {tls: TLS{Enabled: true, CertFile: "c"}, want: []string{"without TLS.KeyFile"}},
		"a protocol of nobody":   {group: "eager", want: []string{`GroupProtocol "eager"`}},
		"everything is reported": {sasl: SASL{Mechanism: Plain}, tls: TLS{KeyFile: "k"}, group: "x", want: []string{"SASL.User", "TLS.Enabled", "TLS.CertFile", "GroupProtocol"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Config{Brokers: []string{"b:1"}, SASL: c.sasl, TLS: c.tls, GroupProtocol: c.group}.validate()
			if (err != nil) != (len(c.want) > 0) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %s: %v", want, err)
				}
			}
		})
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	s := SASL{Mechanism: Plain, User: "u", Password: "hush"}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", Config{SASL: s}, Config{SASL: s}, Config{SASL: s}), slog.AnyValue(s).Resolve().String()} {
		if strings.Contains(text, "hush") || !strings.Contains(text, "PLAIN as u") {
			t.Error(text)
		}
	}
	if got := (SASL{}).String(); got != "none" {
		t.Errorf("without SASL: %s", got)
	}
}

// Files that cannot be read are known before anything connects.
func TestMissingFilesShowAtOnce(t *testing.T) {
	dir := t.TempDir()
	junk, empty := filepath.Join(dir, "junk"), filepath.Join(dir, "empty")
	if err := os.WriteFile(junk, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for name, c := range map[string]Config{
		missing: {TLS: TLS{Enabled: true, CAFile: missing}},
		junk:    {TLS: TLS{Enabled: true, CAFile: junk}},
		"key":   {TLS: TLS{Enabled: true, CertFile: junk, KeyFile: junk}},
		empty:   {SASL: SASL{Mechanism: ScramSHA512, User: "u", PasswordFile: empty}},
	} {
		c.Brokers = []string{"127.0.0.1:1"}
		adm, err := NewAdmin(AdminConfig{Config: c})
		if err == nil {
			adm.Close()
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
