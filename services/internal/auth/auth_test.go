package auth

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func key() []byte { return []byte(strings.Repeat("k", 32)) }

func newAuth(t *testing.T, roles ...Role) (*Authenticator, string) {
	t.Helper()
	text, tok, err := NewToken("someone", roles...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New([]Token{tok}, key())
	if err != nil {
		t.Fatal(err)
	}
	return a, text
}

func TestTokenAuthenticates(t *testing.T) {
	a, text := newAuth(t, Producer)
	p, err := a.Token(text)
	if err != nil || p.Name != "someone" || !p.Can(EventsPublish) || p.Can(RunsCreate) {
		t.Fatalf("principal %+v, %v", p, err)
	}
}

func TestTokenIsRefused(t *testing.T) {
	a, text := newAuth(t, Admin)
	other, _, err := NewToken("other", Admin)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(text)
	flipped[10] ^= 1
	for name, bad := range map[string]string{
		"empty": "", "unknown": other, "flipped": string(flipped), "cut": text[:len(text)-1], "padded": text + "x",
		"run without signature": "sbx_run_e30", "run with a wrong one": "sbx_run_e30.AAAA",
	} {
		if _, err := a.Token(bad); !errors.Is(err, ErrBadToken) {
			t.Errorf("%s token: %v", name, err)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	if _, err := a.Request(r); !errors.Is(err, ErrBadToken) {
		t.Errorf("no header: %v", err)
	}
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, tok, err := NewToken("guest", Viewer)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Hour)
		tok.Expires = &end
		a, err := New([]Token{tok}, key())
		if err != nil {
			t.Fatal(err)
		}
		run, err := a.MintRun("r1", 2, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Token(run)
		if err != nil || p.Run != "r1" || p.Attempt != 2 || !p.Can(RunsReport) || p.Can(TagsPromote) {
			t.Fatalf("run token: %+v, %v", p, err)
		}
		time.Sleep(time.Hour)
		for name, tok := range map[string]string{"static": text, "run": run} {
			if _, err := a.Token(tok); !errors.Is(err, ErrBadToken) {
				t.Errorf("%s token after its end: %v", name, err)
			}
		}
	})
}

func TestRunTokenOfAnotherKeyIsRefused(t *testing.T) {
	a, _ := newAuth(t, Viewer)
	b, err := New(nil, []byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.MintRun("r1", 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Token(run); !errors.Is(err, ErrBadToken) {
		t.Fatalf("foreign run token: %v", err)
	}
}

// The whole table, so that a change of policy is a change of this test.
func TestRolesHaveExactlyTheirPermissions(t *testing.T) {
	want := map[Role][]Permission{
		Viewer:    {RunsRead, RegistryRead, ArchiveRead, MetricsRead},
		Predictor: {Predict},
		Producer:  {EventsPublish},
		Trainer:   {DatasetPublish, RunsRead, RunsCreate, RegistryRead, ArchiveRead, PackagesPush},
		Promoter:  {RunsRead, RegistryRead, ArchiveRead, TagsPromote},
		Admin: {EventsPublish, DatasetPublish, Predict, RunsRead, RunsCreate, RegistryRead, ArchiveRead, PackagesPush,
			TagsPromote, SpecsApply, MetricsRead},
		Job: {RunsReport, PackagesPush, RegistryRead},
	}
	all := []Permission{EventsPublish, DatasetPublish, Predict, RunsRead, RunsCreate, RunsReport, PackagesPush, RegistryRead,
		ArchiveRead, TagsPromote, SpecsApply, MetricsRead}
	for role, may := range want {
		for _, p := range all {
			if got := (Principal{Roles: []Role{role}}).Can(p); got != slices.Contains(may, p) {
				t.Errorf("%s, %s: allowed %v", role, p, got)
			}
		}
	}
	if (Principal{}).Can(RunsRead) || (Principal{Roles: []Role{"king"}}).Can(RunsRead) {
		t.Error("a caller without a known role may do something")
	}
}

func TestNewTokenRefuses(t *testing.T) {
	if _, _, err := NewToken("", Viewer); err == nil {
		t.Error("a token without a name")
	}
	if _, _, err := NewToken(" ", Viewer); err == nil {
		t.Error("a token whose name nobody can see")
	}
	if _, _, err := NewToken("x", Job); err == nil {
		t.Error("a person's token with the role of jobs")
	}
}

func FuzzToken(f *testing.F) {
	a, err := New(nil, key())
	if err != nil {
		f.Fatal(err)
	}
	run, err := a.MintRun("r", 1, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(run[:len(run)-1])
	f.Add("sbx_run_.")
	f.Add("sbx_admin_")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := a.Token(s); err == nil && s != run {
			t.Fatalf("%q was accepted as %+v", s, p)
		}
	})
}

// What tokens that exist end in does not change.
func TestChecksum(t *testing.T) {
	for body, want := range map[string]string{
		"": "000000", "sbx_admin_": "08k2vL", "sbx_producer_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG": "22A2G2",
	} {
		if got := checksum(body); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}
