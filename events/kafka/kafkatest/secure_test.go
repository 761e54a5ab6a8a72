package kafkatest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// TestSecureApache tries every way to be secure against the real thing, those that must work and those that must not.
func TestSecureApache(t *testing.T) {
	a, err := kafkatest.StartSecureApache(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b := &secureBroker{a}
	t.Run("works", b.works)
	t.Run("refused", b.refused)
	t.Run("a certificate is renewed", b.certificateIsRenewed)
	t.Run("a password is mended", b.passwordIsMended)
}

type secureBroker struct{ *kafkatest.SecureApache }

func (b *secureBroker) tls() kafka.TLS { return kafka.TLS{Enabled: true, CAFile: b.Authority.File} }

func (b *secureBroker) sasl(mechanism string) kafka.SASL {
	return kafka.SASL{Mechanism: mechanism, User: kafkatest.SecureUser, Password: kafkatest.SecurePassword}
}

func (b *secureBroker) issue(t *testing.T, ca *kafkatest.Authority, name string, end time.Time) kafka.TLS {
	t.Helper()
	cert, key, err := ca.Issue(name, end, "client")
	if err != nil {
		t.Fatal(err)
	}
	return kafka.TLS{Enabled: true, CAFile: b.Authority.File, CertFile: cert, KeyFile: key}
}

// works: everything that connects does, on each listener.
func (b *secureBroker) works(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(kafkatest.SecurePassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	filed := kafka.SASL{Mechanism: kafka.ScramSHA512, User: kafkatest.SecureUser, PasswordFile: file}
	open := b.sasl(kafka.Plain)
	open.Insecure = true
	named := b.tls()
	named.ServerName = kafkatest.SecureHost
	for name, c := range map[string]struct {
		listener string
		sasl     kafka.SASL
		tls      kafka.TLS
	}{
		"PLAIN over TLS":         {kafkatest.ListenerSASLTLS, b.sasl(kafka.Plain), b.tls()},
		"PLAIN in the open":      {kafkatest.ListenerSASLOpen, open, kafka.TLS{}},
		"SCRAM-SHA-256":          {kafkatest.ListenerSASLTLS, b.sasl(kafka.ScramSHA256), b.tls()},
		"SCRAM-SHA-512":          {kafkatest.ListenerSASLTLS, b.sasl(kafka.ScramSHA512), b.tls()},
		"a password from a file": {kafkatest.ListenerSASLTLS, filed, b.tls()},
		"TLS":                    {kafkatest.ListenerTLS, kafka.SASL{}, b.tls()},
		"TLS by another name":    {kafkatest.ListenerTLS, kafka.SASL{}, named},
		"mTLS":                   {kafkatest.ListenerMTLS, kafka.SASL{}, b.issue(t, b.Authority, "client", time.Now().Add(time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := b.Dial(c.listener)
			cfg.SASL, cfg.TLS = c.sasl, c.tls
			kafkatest.RoundTrip(t, cfg)
		})
	}
}

// refused: Ping says within one attempt what is wrong, and nobody has to wait for a time-out.
func (b *secureBroker) refused(t *testing.T) {
	other, err := kafkatest.NewAuthority(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := b.sasl(kafka.Plain)
	wrong.Password = "battery-staple"
	wrongScram := b.sasl(kafka.ScramSHA512)
	wrongScram.User = "mallory"
	open := b.sasl(kafka.ScramSHA512)
	elsewhere := b.tls()
	elsewhere.ServerName = "elsewhere.example"
	day := 24 * time.Hour
	foreign := kafka.TLS{Enabled: true, CAFile: other.File}
	stranger := b.issue(t, other, "stranger", time.Now().Add(day))
	for name, c := range map[string]struct {
		listener string
		sasl     kafka.SASL
		tls      kafka.TLS
		want     string
	}{
		"wrong password":              {kafkatest.ListenerSASLTLS, wrong, b.tls(), "PLAIN as alice"},
		"unknown user":                {kafkatest.ListenerSASLTLS, wrongScram, b.tls(), "SCRAM-SHA-512 as mallory"},
		"mechanism that is not there": {kafkatest.ListenerSASLOpen, open, kafka.TLS{}, "set SASL.Mechanism"},
		"no SASL":                     {kafkatest.ListenerSASLTLS, kafka.SASL{}, b.tls(), "want SASL"},
		"needless SASL":               {kafkatest.ListenerTLS, b.sasl(kafka.Plain), b.tls(), "leave SASL out"},
		"unknown authority":           {kafkatest.ListenerTLS, kafka.SASL{}, foreign, "no authority in " + other.File},
		"authorities of the system":   {kafkatest.ListenerTLS, kafka.SASL{}, kafka.TLS{Enabled: true}, "TLS.CAFile"},
		"wrong host name":             {kafkatest.ListenerTLS, kafka.SASL{}, elsewhere, "TLS.ServerName"},
		"expired broker":              {kafkatest.ListenerExpired, kafka.SASL{}, b.tls(), "renew it"},
		"no client certificate":       {kafkatest.ListenerMTLS, kafka.SASL{}, b.tls(), "TLS.CertFile"},
		"unknown client certificate":  {kafkatest.ListenerMTLS, kafka.SASL{}, stranger, stranger.CertFile},
		"expired client certificate":  {kafkatest.ListenerMTLS, kafka.SASL{}, b.issue(t, b.Authority, "old", time.Now().Add(-time.Hour)), "expired"},
		"TLS to a plain listener":     {"PLAINTEXT", kafka.SASL{}, b.tls(), "does not seem to speak TLS"},
		"plain to a TLS listener":     {kafkatest.ListenerTLS, kafka.SASL{}, kafka.TLS{}, "set TLS.Enabled"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := b.Dial(c.listener)
			if c.listener == "PLAINTEXT" {
				cfg = b.Config()
			}
			cfg.SASL, cfg.TLS = c.sasl, c.tls
			err := ping(t, cfg)
			if !errors.Is(err, kafka.ErrSecurity) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
			for _, secret := range []string{kafkatest.SecurePassword, wrong.Password} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the password is in %v", err)
				}
			}
		})
	}
}

// ping does not wait for ever: an answer that needs retries is none.
func ping(t *testing.T, cfg kafka.Config) error {
	t.Helper()
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	return adm.Ping(ctx)
}
