package raybackend

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestConfigListsEveryFault(t *testing.T) {
	_, err := New(Config{URL: "ray:8265", Token: "a\nb", Python: "python; rm", Scratch: "$HOME", Grace: -1, Classes: map[string]Class{"A": {
		CPUs: -1, GPUs: 1.5, Memory: -1, Resources: map[string]float64{"GPU": 1, "a b": 1}, Env: map[string]string{"LD_PRELOAD": "x", "RAY_ADDRESS": "x"},
	}}})
	for _, want := range []string{
		"url", "token", `python "python; rm"`, `scratch "$HOME"`, "grace", "cpus -1", "gpus 1.5", "memory -1", "resource GPU", `"a b"`, `"LD_PRELOAD"`, `"RAY_ADDRESS"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s: %v", want, err)
		}
	}
	if _, err := New(Config{URL: "http://127.0.0.1:8265"}); err == nil || !strings.Contains(err.Error(), "classes") {
		t.Errorf("no classes: %v", err)
	}
}

// TestOpenNetwork: the jobs API runs what it is sent, so an open way to it is refused.
func TestOpenNetwork(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"loopback":                {Config{URL: "http://127.0.0.1:8265"}, true},
		"loopback by name":        {Config{URL: "http://localhost:8265/ray"}, true},
		"loopback of IPv6":        {Config{URL: "http://[::1]:8265"}, true},
		"elsewhere":               {Config{URL: "http://ray.example:8265"}, false},
		"every address":           {Config{URL: "http://0.0.0.0:8265"}, false},
		"TLS without a token":     {Config{URL: "https://ray.example:8265"}, false},
		"token in clear":          {Config{URL: "http://ray.example:8265", Token: "t"}, false},
		"looks like loopback":     {Config{URL: "http://127.0.0.1.example:8265"}, false},
		"token and TLS":           {Config{URL: "https://ray.example:8265", Token: "t", TLS: &tls.Config{ServerName: "ray"}}, true},
		"closed network":          {Config{URL: "http://ray.example:8265", ClosedNetwork: true}, true},
		"password in the address": {Config{URL: "https://u:hunter2@ray.example", Token: "t"}, false},
		"query":                   {Config{URL: "https://ray.example/?x=1", Token: "t"}, false},
		"another scheme":          {Config{URL: "ray://ray.example", Token: "t"}, false},
	} {
		tc.cfg.Classes = map[string]Class{"CPU": {}}
		_, err := New(tc.cfg)
		if (err == nil) != tc.ok || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want it accepted: %v", name, err, tc.ok)
		}
	}
}
