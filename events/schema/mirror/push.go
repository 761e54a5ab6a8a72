package mirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"
)

// subject mirrors the versions of one subject.
func (m *Mirror) subject(ctx context.Context, s Subject, dryRun bool) ([]Result, error) {
	out := make([]Result, len(s.Versions))
	last := -1 // the latest version that the registry has
	for i, v := range s.Versions {
		id, found, err := m.lookup(ctx, s.Name, v)
		if err != nil {
			return nil, err
		}
		out[i] = Result{Subject: s.Name, Version: v.Name, Result: Missing, ID: id}
		if found {
			out[i].Result, last = Present, i
		}
	}
	for i := range last {
		if out[i].Result == Missing {
			out[i].Result = Kept
		}
	}
	if dryRun {
		return out, nil
	}
	err := m.setLevel(ctx, s.Name)
	late := noSubject(err) // some registries have no level for what they do not have; a first version has nothing to break
	if err != nil && !late {
		return out[:last+1], err
	}
	for i := last + 1; i < len(out); i++ {
		id, err := m.client.RegisterSchema(ctx, s.Name, asSchema(s.Versions[i]), -1, -1)
		if err != nil {
			return out[:i], fmt.Errorf("register %s: %w", s.Versions[i].Name, err)
		}
		out[i].Result, out[i].ID = Registered, id
		if late {
			if err := m.setLevel(ctx, s.Name); err != nil {
				return out[:i+1], err
			}
			late = false
		}
	}
	return out, nil
}

// noSubject reports an answer that there is no such subject, schema or level: not a 404 of somebody else than a registry.
func noSubject(err error) bool {
	var refused *sr.ResponseError
	return errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound && refused.ErrorCode >= 40400
}

func asSchema(v Version) sr.Schema { return sr.Schema{Schema: string(v.Text), Type: sr.TypeJSON} }

// lookup asks for a schema by its text.
func (m *Mirror) lookup(ctx context.Context, subject string, v Version) (id int, found bool, err error) {
	there, err := m.client.LookupSchema(ctx, subject, asSchema(v))
	switch {
	case err == nil:
		return there.ID, true, nil
	case noSubject(err):
		return 0, false, nil
	}
	return 0, false, fmt.Errorf("look up %s: %w", v.Name, err)
}

// setLevel gives a subject its level, where it has another.
func (m *Mirror) setLevel(ctx context.Context, subject string) error {
	has := m.client.Compatibility(ctx, subject)[0]
	if has.Err != nil && !noSubject(has.Err) {
		return fmt.Errorf("read the compatibility level: %w", has.Err)
	}
	if has.Err == nil && has.Level == m.level {
		return nil
	}
	set := m.client.SetCompatibility(ctx, sr.SetCompatibility{Level: m.level}, subject)[0]
	if set.Err != nil {
		return fmt.Errorf("set the compatibility level %s: %w", m.level, set.Err)
	}
	return nil
}

// advise says what to do about an error.
func (m *Mirror) advise(err error) error {
	var refused *sr.ResponseError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return fmt.Errorf("%w: name the registry's authority with --ca-file", err)
	case !errors.As(err, &refused):
		return fmt.Errorf("%w: is there a schema registry at %s?", err, m.url)
	case refused.StatusCode == http.StatusUnauthorized, refused.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the registry answers %d, %w: give --user and --password-file of somebody who may write the subject", refused.StatusCode, err)
	case m.level != sr.CompatNone && (refused.StatusCode == http.StatusConflict || refused.StatusCode == http.StatusInternalServerError):
		// Some refuse what their rule does not allow, some break on a dialect that their rule does not know.
		return fmt.Errorf("the registry answers %d, %w: push with --compatibility NONE, the versions were compared already", refused.StatusCode, err)
	case refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusMethodNotAllowed:
		return fmt.Errorf("%s answers %d: want the address of Confluent's API, with the path that it starts at, such as /apis/ccompat/v7", m.url, refused.StatusCode)
	case refused.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("the registry cannot use it: %w", err)
	}
	return fmt.Errorf("the registry answers %d: %w: try again later", refused.StatusCode, err)
}
