package kafkatest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

// The user of a SecureApache, for every mechanism.
const (
	SecureUser     = "alice"
	SecurePassword = "correct-horse"
)

// SecureHost is a name in the broker's certificate beside 127.0.0.1.
const SecureHost = "kafka.example"

// Listeners of a SecureApache.
const (
	ListenerSASLOpen = "SASLOPEN" // PLAIN, not encrypted
	ListenerSASLTLS  = "SASLTLS"  // every mechanism, encrypted
	ListenerTLS      = "TLS"      // encrypted, for anybody
	ListenerMTLS     = "MTLS"     // encrypted, for those with a certificate
	ListenerExpired  = "EXPIRED"  // TLS whose certificate is expired
)

// SecureApache is an Apache Kafka that listens in every way of being secure, and openly as Apache does.
type SecureApache struct {
	*Apache
	// Authority signed the broker's certificate, and signs those that the broker takes from clients.
	Authority *Authority
	addrs     map[string]string
}

// StartSecureApache is StartApache with more listeners.
func StartSecureApache(ctx context.Context, dir string) (*SecureApache, error) {
	keys := filepath.Join(dir, "keys")
	ca, err := NewAuthority(keys)
	if err != nil {
		return nil, err
	}
	day := 24 * time.Hour
	if err := ca.keystore(filepath.Join(keys, "broker.pem"), time.Now().Add(day), "127.0.0.1", SecureHost); err != nil {
		return nil, err
	}
	if err := ca.keystore(filepath.Join(keys, "expired.pem"), time.Now().Add(-time.Hour), "127.0.0.1"); err != nil {
		return nil, err
	}
	s := &SecureApache{Authority: ca, addrs: map[string]string{}}
	fill := []string{"@KEYS@", keys, "@USER@", SecureUser, "@PASSWORD@", SecurePassword}
	for _, name := range []string{ListenerSASLOpen, ListenerSASLTLS, ListenerTLS, ListenerMTLS, ListenerExpired} {
		port, err := choosePort(filepath.Join(dir, "port."+name))
		if err != nil {
			return nil, err
		}
		fill = append(fill, "@"+name+"@", port)
		s.addrs[name] = net.JoinHostPort("127.0.0.1", port)
	}
	var users []string
	for _, mechanism := range []string{kafka.ScramSHA256, kafka.ScramSHA512} {
		users = append(users, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, SecureUser, SecurePassword))
	}
	s.Apache, err = startApache(ctx, dir, apacheSetup{files: []string{"server.properties", "secure.properties"}, fill: fill, format: users})
	return s, err
}

// Dial returns how to reach one listener, without what the listener asks for.
func (s *SecureApache) Dial(listener string) kafka.Config {
	return kafka.Config{Brokers: []string{s.addrs[listener]}}
}
