package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanisms of SASL.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// SASL says who this program is to the brokers. The zero value says nothing. Its text form leaves the password out.
type SASL struct {
	// Mechanism is Plain, ScramSHA256 or ScramSHA512; empty means no SASL, and then nothing else may be set.
	Mechanism string
	User      string
	// Password, or PasswordFile that is read again for each connection, so that a new password needs no restart. A line
	// break at the file's end is not part of it.
	Password     string
	PasswordFile string
	// Insecure allows Plain without TLS: whoever sees the network sees the password.
	Insecure bool
}

func (s SASL) validate(encrypted bool) error {
	var faults []error
	switch s.Mechanism {
	case "":
		if s != (SASL{}) {
			faults = append(faults, fmt.Errorf("kafka: SASL.Mechanism is empty, but other members of SASL are set: want %s, %s or %s", Plain, ScramSHA256, ScramSHA512))
		}
		return errors.Join(faults...)
	case Plain, ScramSHA256, ScramSHA512:
	default:
		faults = append(faults, fmt.Errorf("kafka: SASL.Mechanism %q: want %s, %s or %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512))
	}
	if s.User == "" {
		faults = append(faults, errors.New("kafka: SASL.User is empty"))
	}
	if (s.Password == "") == (s.PasswordFile == "") {
		faults = append(faults, errors.New("kafka: SASL wants one of Password and PasswordFile"))
	}
	if s.Mechanism == Plain && !encrypted && !s.Insecure {
		faults = append(faults, errors.New("kafka: SASL PLAIN without TLS shows the password to the network: enable TLS, or use "+ScramSHA512+", or set SASL.Insecure"))
	}
	return errors.Join(faults...)
}

// password returns the password as of now.
func (s SASL) password() (string, error) {
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("kafka password: %w", err)
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 {
		return "", fmt.Errorf("kafka password: %s is empty", s.PasswordFile)
	}
	return string(b), nil
}

// options of a client that authenticates; none without a mechanism.
func (s SASL) options() []kgo.Opt {
	var m sasl.Mechanism
	switch s.Mechanism {
	case Plain:
		m = plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := s.password()
			return plain.Auth{User: s.User, Pass: pass}, err
		})
	case ScramSHA256:
		m = scram.Sha256(s.scram)
	case ScramSHA512:
		m = scram.Sha512(s.scram)
	default:
		return nil
	}
	return []kgo.Opt{kgo.SASL(m)}
}

func (s SASL) scram(context.Context) (scram.Auth, error) {
	pass, err := s.password()
	return scram.Auth{User: s.User, Pass: pass}, err
}

// String says who, and how, without the password.
func (s SASL) String() string {
	if s.Mechanism == "" {
		return "none"
	}
	return s.Mechanism + " as " + s.User
}

// GoString is String: %#v must not show the password either.
func (s SASL) GoString() string { return s.String() }

// LogValue is String for logs.
func (s SASL) LogValue() slog.Value { return slog.StringValue(s.String()) }
