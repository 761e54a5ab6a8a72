// Package mirror keeps a copy of schemas in a schema registry with Confluent's API, for those who look for them there.
//
// A subject is <topic>-<type> (TopicRecordNameStrategy): a topic carries several types, and each has versions of its own.
// Major versions above 1 are subjects of their own, <topic>-<type>-v<major>, as nothing need be readable across majors.
//
// The level of compatibility of a subject is NONE unless another is asked for. What may follow what was decided by
// package compat before; registries judge JSON Schema by all documents that fit, and by that nothing can be added to an
// open object.
package mirror

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Config of a Mirror.
type Config struct {
	URL string // of the registry, with the path that its API starts at; required
	// User and Password are for basic authentication; "" sends none.
	User, Password string
	// CA is PEM with the authorities that are trusted; nil means those of the system.
	CA []byte
	// Compatibility is the level that subjects get, as registries write it; "" means NONE.
	Compatibility string
	// Timeout of one request; 0 means 10s.
	Timeout time.Duration
}

func (c Config) withDefaults() Config {
	c.Compatibility = cmp.Or(c.Compatibility, "NONE")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	return c
}

func (c Config) validate() error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		errs = append(errs, errors.New("url: want http:// or https:// with a host and no password in it"))
	}
	if (c.User == "") != (c.Password == "") {
		errs = append(errs, errors.New("user and password: want both or none"))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout is negative"))
	}
	var level sr.CompatibilityLevel
	if err := level.UnmarshalText([]byte(c.Compatibility)); err != nil {
		errs = append(errs, errors.New("compatibility: want NONE, BACKWARD, FORWARD, FULL, or one of the latter with _TRANSITIVE"))
	}
	return errors.Join(errs...)
}

// Subject is what the registry has versions of.
type Subject struct {
	Name     string
	Versions []Version // in the order in which they follow each other
}

// Version is one schema.
type Version struct {
	Name string // for people, such as order.placed/1.0
	Text []byte // JSON Schema
}

// SubjectName names the subject of one major version of a type.
func SubjectName(topic, typ string, major int) string {
	if major > 1 {
		return topic + "-" + typ + "-v" + strconv.Itoa(major)
	}
	return topic + "-" + typ
}

// What became of a version.
const (
	Registered = "registered"
	Present    = "present" // the registry had it
	Missing    = "missing" // it would be registered; a dry run says so
	// Kept means that the registry has later versions and another text of this one, with other annotations. Registered
	// now it would become the latest.
	Kept = "kept"
)

// Result says what became of one version.
type Result struct {
	Subject string `json:"subject"`
	Version string `json:"version"`
	Result  string `json:"result"`
	ID      int    `json:"id,omitempty"` // of the registry, where it is known
}

// Mirror writes to one registry.
type Mirror struct {
	client *sr.Client
	level  sr.CompatibilityLevel
	url    string
}

// New returns a mirror. It does not connect yet.
func New(cfg Config) (*Mirror, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("schema registry config: %w", err)
	}
	m := &Mirror{url: cfg.URL}
	if err := m.level.UnmarshalText([]byte(cfg.Compatibility)); err != nil {
		return nil, fmt.Errorf("schema registry config: %w", err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if cfg.CA != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(cfg.CA) {
			return nil, errors.New("schema registry config: ca: there is no certificate in it: want PEM")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	opts := []sr.ClientOpt{
		sr.URLs(cfg.URL), sr.UserAgent("signalbox"), sr.HTTPClient(&http.Client{Timeout: cfg.Timeout, Transport: transport}),
	}
	if cfg.User != "" {
		opts = append(opts, sr.BasicAuth(cfg.User, cfg.Password))
	}
	var err error
	if m.client, err = sr.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("schema registry config: %w", err)
	}
	return m, nil
}

// Push brings what the registry lacks, and changes nothing that it has but the level of a subject. A repeat brings
// nothing. On an error the results say how far it came.
func (m *Mirror) Push(ctx context.Context, subjects []Subject, dryRun bool) ([]Result, error) {
	var out []Result
	for _, s := range subjects {
		results, err := m.subject(ctx, s, dryRun)
		out = append(out, results...)
		if err != nil {
			return out, fmt.Errorf("push %s: %w", s.Name, m.advise(err))
		}
	}
	return out, nil
}
