package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// TLS says how connections to the brokers are encrypted, and by which certificate this program is known. Files are PEM
// and are read again for each connection, so that renewed certificates need no restart.
type TLS struct {
	// Enabled turns TLS on. Without it nothing else may be set.
	Enabled bool
	// CAFile has the authorities that may sign the brokers' certificates; empty means those of the system.
	CAFile string
	// CertFile and KeyFile are this program's certificate, with its intermediates, and its key. Both or none.
	CertFile, KeyFile string
	// ServerName is the name that every broker's certificate must have; empty means the host that is dialed.
	ServerName string
}

func (t TLS) validate() error {
	var faults []error
	if !t.Enabled && t != (TLS{}) {
		faults = append(faults, errors.New("kafka: members of TLS are set, but TLS.Enabled is not: set it, or nothing would be encrypted"))
	}
	if t.CertFile != "" && t.KeyFile == "" {
		faults = append(faults, errors.New("kafka: TLS.CertFile without TLS.KeyFile: name the certificate's key"))
	}
	if t.KeyFile != "" && t.CertFile == "" {
		faults = append(faults, errors.New("kafka: TLS.KeyFile without TLS.CertFile: name the key's certificate"))
	}
	return errors.Join(faults...)
}

// load reads the files as they are now. host is what is dialed.
func (t TLS) load(host string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		cfg.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		b, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka certificate authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("kafka certificate authorities: %s has no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka client certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
		}
		// Not Certificates: those are left out where no authority that the broker names has signed them, and the broker
		// would only say that there is none.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg, nil
}

// dialTimeout bounds a connection with its handshake.
const dialTimeout = 10 * time.Second

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialer returns what connects the client. Its errors, and those of reading, say what to do where the peers do not agree
// on security: in TLS 1.3 a broker refuses a client's certificate only after the handshake.
func (c Config) dialer() dialFunc {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if !c.TLS.Enabled {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout) // the client's context has no end
			defer cancel()
			return dial(ctx, network, address)
		}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		cfg, err := c.TLS.load(host)
		if err != nil {
			return nil, err
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error says more
			if errors.Is(err, context.DeadlineExceeded) {
				err = &net.OpError{Op: "dial", Net: network, Addr: conn.RemoteAddr(), Err: os.ErrDeadlineExceeded} // the client's own bounds look so
			}
			return nil, fmt.Errorf("tls with kafka %s: %w", address, c.TLS.advise(err))
		}
		return &secured{Conn: secure, tls: c.TLS, address: address}, nil
	}
}

// secured is a connection whose read errors say what to do.
type secured struct {
	net.Conn
	tls     TLS
	address string
}

// Read reads from the connection.
func (s *secured) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err != nil && alert(err) {
		err = fmt.Errorf("tls with kafka %s: %w", s.address, s.tls.advise(err))
	}
	return n, err
}
