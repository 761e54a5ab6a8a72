// Package probe finds out whether an object store keeps the promises that Signalbox leans on. Many S3-compatible servers
// do not: they store bytes that contradict their checksum, or let two writers create the same key.
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// ErrUnfit reports a store that must not be used.
var ErrUnfit = errors.New("the object store breaks a promise that Signalbox needs: use another server or version")

// Config sizes the probe.
type Config struct {
	// Prefix is the folder for the probe's objects, ending in a slash; empty means "probe/".
	Prefix string
	// Writers race for each of Keys keys; 0 means 16 and 10.
	Writers, Keys int
	// HTTPClient sends the signed requests; nil means a client of its own.
	HTTPClient *http.Client
	// Timeout bounds each check; 0 means 30 s.
	Timeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "probe/"
	}
	if c.Writers == 0 {
		c.Writers = 16
	}
	if c.Keys == 0 {
		c.Keys = 10
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if bucket.CheckKey(c.Prefix+"x") != nil || c.Prefix[len(c.Prefix)-1] != '/' {
		faults = append(faults, fmt.Errorf("Prefix %q is not a folder: end it in a slash", c.Prefix))
	}
	if c.Writers < 2 || c.Keys < 1 {
		faults = append(faults, errors.New("Writers or Keys is too small: a race takes 2 writers and 1 key"))
	}
	return errors.Join(faults...)
}

// run is one probe at work.
type run struct {
	cfg    Config
	bucket bucket.Bucket
	signer bucket.Signer // nil if the bucket cannot sign
	dir    string        // folder of this run, ending in a slash
}

// check is one promise; it returns what it saw, and an error if the promise was broken.
type check struct {
	name   string
	remedy string
	do     func(*run, context.Context) (string, error)
}

// Run tries b out and deletes what it stored. A broken promise is in the Report, for its Err to tell; the error of Run
// says that the store could not be tried: it is absent, refuses the credentials, or ctx ended.
func Run(ctx context.Context, b bucket.Bucket, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Report{}, fmt.Errorf("configure the storage probe: %w", err)
	}
	r := &run{cfg: cfg, bucket: b, dir: cfg.Prefix + rand.Text() + "/"}
	r.signer, _ = b.(bucket.Signer)
	report, err := r.all(ctx)
	if cleanErr := r.clean(ctx); err == nil {
		err = cleanErr
	}
	if err != nil {
		return report, fmt.Errorf("probe the object store: %w", err)
	}
	return report, nil
}

func (r *run) all(ctx context.Context) (Report, error) {
	var report Report
	if err := r.reach(ctx); err != nil {
		return report, err
	}
	checks := checksOfBucket()
	if r.signer != nil {
		checks = append(checks, checksOfSigner()...)
	}
	for _, c := range checks {
		start := time.Now()
		detail, err := r.bounded(ctx, c)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		done := Check{Name: c.name, OK: err == nil, Detail: detail, Took: time.Since(start)}
		if err != nil {
			done.Detail, done.Remedy = err.Error(), c.remedy
		}
		report.Checks = append(report.Checks, done)
	}
	return report, nil
}

func (r *run) bounded(ctx context.Context, c check) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	return c.do(r, ctx)
}

// reach tells a store that is not there from one that is unfit.
func (r *run) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	_, err := r.bucket.Stat(ctx, r.dir+"absent")
	if err == nil || errors.Is(err, bucket.ErrNotFound) {
		_, err = r.put(ctx, "reach", "hello", bucket.PutOptions{})
	}
	if err != nil {
		return fmt.Errorf("the store does not answer as it should: check endpoint, bucket and credentials: %w", err)
	}
	return nil
}

// clean deletes what the probe stored, even when ctx has ended.
func (r *run) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Timeout)
	defer cancel()
	for a, err := range r.bucket.List(ctx, r.dir) {
		if err == nil {
			err = r.bucket.Delete(ctx, a.Key)
		}
		if err != nil {
			return fmt.Errorf("delete the probe's objects under %s yourself: %w", r.dir, err)
		}
	}
	return nil
}
