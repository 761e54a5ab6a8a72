package raybackend

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config of a Backend.
type Config struct {
	// URL of the head's dashboard, which serves the jobs API: https://ray.example:8265. Required.
	URL string
	// Token is sent as a bearer token; "" sends none. See RAY_AUTH_MODE=token of Ray 2.52 and later.
	Token string
	// TLS are the authorities and certificates of the connection; nil means the system's.
	TLS *tls.Config
	// ClosedNetwork says that nobody else reaches URL, so that neither token nor TLS is needed away from loopback.
	ClosedNetwork bool
	// Instance tells the jobs of one Signalbox from those of another on the same cluster; "" means signalbox.
	Instance string
	// Python is the interpreter on the cluster's nodes, by name or path; "" means python.
	Python string
	// Source has the Python package signalbox as its folder signalbox; nil means that the nodes have it installed.
	Source fs.FS
	// Scratch is a folder on the nodes: each job has one of its own below it, which goes with the job; "" means /tmp.
	Scratch string
	// Classes by name; at least one.
	Classes map[string]Class
	// Grace is what a job has to end in peace once it is stopped; 0 means 30s.
	Grace time.Duration
	// Timeout bounds each request; 0 means 30s.
	Timeout time.Duration
	Log     *slog.Logger // nil: discard
}

func (c Config) withDefaults() Config {
	c.Instance = cmp.Or(c.Instance, "signalbox")
	c.Python = cmp.Or(c.Python, "python")
	c.Scratch = cmp.Or(c.Scratch, "/tmp")
	c.Grace = cmp.Or(c.Grace, 30*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	classes := make(map[string]Class, len(c.Classes))
	for name, class := range c.Classes {
		class.CPUs = cmp.Or(class.CPUs, 1)
		classes[name] = class
	}
	c.Classes = classes
	return c
}

// plain is what the shell of a node reads as itself.
var plain = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$|^/[A-Za-z0-9_./-]*$`)

func (c Config) validate() error {
	errs := []error{c.validateURL()}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		errs = append(errs, errors.New("token has characters that a header cannot have"))
	}
	if !plain.MatchString(c.Python) {
		errs = append(errs, fmt.Errorf("python %q: want a name or path without blanks or special characters", c.Python))
	}
	if !plain.MatchString(c.Scratch) || c.Scratch[0] != '/' {
		errs = append(errs, fmt.Errorf("scratch %q: want an absolute path without blanks or special characters", c.Scratch))
	}
	if c.Grace < time.Second || c.Timeout < time.Second {
		errs = append(errs, errors.New("grace or timeout is less than a second"))
	}
	if len(c.Classes) == 0 {
		errs = append(errs, errors.New("classes are missing"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Classes)) {
		errs = append(errs, c.Classes[name].validate(name))
	}
	return errors.Join(errs...)
}

// validateURL refuses an address that would hand the cluster, or the token, to whoever listens.
func (c Config) validateURL() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("url: want http or https, a host and nothing behind the path") // it may hold a password: not shown
	}
	if c.ClosedNetwork || loopback(u.Hostname()) {
		return nil
	}
	if c.Token == "" || u.Scheme != "https" {
		return fmt.Errorf("url %s: the jobs API runs any code that it is sent: set a token and use https, or declare the network closed", u.Redacted())
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
