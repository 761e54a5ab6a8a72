package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrSecurity marks brokers that were reached and with which there is no agreement on TLS or SASL. Waiting does not help;
// what is wrong stands beside it.
var ErrSecurity = errors.New("kafka security")

func refuse(advice string, err error) error {
	return fmt.Errorf("%w: %s (%w)", ErrSecurity, advice, err)
}

// alert reports whether err is the peer's refusal of the handshake, which may come after it.
func alert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// advise explains an error of the handshake.
func (t TLS) advise(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &host):
		return refuse("the broker's certificate is for another name: set TLS.ServerName to one that it has, or dial it by one", err)
	case errors.As(err, &unknown):
		if t.CAFile == "" {
			return refuse("no authority of this system signed the broker's certificate: name the one that did in TLS.CAFile", err)
		}
		return refuse("no authority in "+t.CAFile+" signed the broker's certificate: put the one that did there", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return refuse("the broker's certificate is expired or not valid yet: renew it, or set the clock", err)
	case errors.As(err, &record), errors.Is(err, io.EOF):
		// The client has an error of its own for an EOF, so none is wrapped.
		return refuse("the listener does not seem to speak TLS: dial the one that does, or turn TLS off", errors.New(err.Error()))
	case alert(err) && t.CertFile == "":
		return refuse("the broker refused the connection and may want a client certificate: set TLS.CertFile and TLS.KeyFile", err)
	case alert(err):
		return refuse("the broker refused the client certificate "+t.CertFile+": see that it is not expired and that an authority which the broker trusts signed it", err)
	}
	return err
}

// explain adds to an error of a request what to do about security; other errors stay as they are.
func (c Config) explain(err error) error {
	var first *kgo.ErrFirstReadEOF
	switch {
	case err == nil, errors.Is(err, ErrSecurity):
		return err
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return refuse("the broker does not know "+c.SASL.String()+" with this password: check both, and that the user was made for this mechanism", err)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return refuse("the listener does not offer "+c.SASL.Mechanism+": set SASL.Mechanism to one that it does", err)
	case errors.Is(err, kerr.IllegalSaslState):
		return refuse("the listener does not use SASL: dial the one that does, or leave SASL out", err)
	case errors.As(err, &first) && c.SASL.Mechanism == "" && c.TLS.Enabled:
		return refuse("the broker hung up on the first request: the listener seems to want SASL", err)
	case errors.As(err, &first) && !c.TLS.Enabled:
		return refuse("the broker hung up on the first request: the listener seems to want TLS or SASL", err)
	case strings.Contains(err.Error(), "a tls alert record"): // the client has no type for it
		return refuse("the listener answers in TLS: set TLS.Enabled", err)
	}
	return err
}
