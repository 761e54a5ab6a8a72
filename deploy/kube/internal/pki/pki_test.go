package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCertificatesVerify(t *testing.T) {
	ca, err := New(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Issue("server", Subject{Name: "s", Groups: []string{"g"}, Hosts: []string{"127.0.0.1", "kubernetes.default"}}); err != nil {
		t.Fatal(err)
	}
	if err := ca.Issue("client", Subject{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	server, client := leaf(t, ca, "server"), leaf(t, ca, "client")
	for _, host := range []string{"127.0.0.1", "kubernetes.default"} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: host}); err != nil {
			t.Errorf("server as %s: %v", host, err)
		}
	}
	if _, err := server.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "10.0.0.1"}); err == nil {
		t.Error("the server's certificate is good for any address")
	}
	if server.Subject.CommonName != "s" || server.Subject.Organization[0] != "g" {
		t.Errorf("subject %s", server.Subject)
	}
	asClient := x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := client.Verify(asClient); err != nil {
		t.Errorf("client: %v", err)
	}
	if _, err := client.Verify(x509.VerifyOptions{Roots: ca.Pool()}); err == nil {
		t.Error("a client's certificate is good for a server")
	}
	other, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Verify(x509.VerifyOptions{Roots: other.Pool(), KeyUsages: asClient.KeyUsages}); err == nil {
		t.Error("another authority vouches for the client")
	}
}

func TestSecretsAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ca, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.ServiceAccounts(); err != nil {
		t.Fatal(err)
	}
	u := NewUser("admin", "system:masters")
	if err := WriteTokens(ca.Path("tokens.csv"), u, NewUser("x", "")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	tokens, err := os.ReadFile(ca.Path("tokens.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(tokens)), "\n")
	if len(lines) != 2 || lines[0] != u.Token+`,admin,admin,"system:masters"` {
		t.Errorf("tokens:\n%s", tokens)
	}
	if other := NewUser("admin", ""); other.Token == u.Token || len(u.Token) < 26 {
		t.Errorf("tokens %s and %s", u.Token, other.Token)
	}
}

func TestServiceAccountKeysBelongTogether(t *testing.T) {
	ca, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.ServiceAccounts(); err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParseECPrivateKey(block(t, ca.Path("sa.key")))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(block(t, ca.Path("sa.pub")))
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := public.(*ecdsa.PublicKey); !ok || !private.PublicKey.Equal(key) {
		t.Error("sa.pub is not the public half of sa.key")
	}
}

func TestKubeconfigIsCompleteInItself(t *testing.T) {
	ca, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	u := NewUser("admin", "")
	path := filepath.Join(t.TempDir(), "config")
	if err := ca.WriteKubeconfig(path, "https://127.0.0.1:1", u); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct{ User struct{ Token string } }
	}
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	if c := config.Clusters[0].Cluster; c.Server != "https://127.0.0.1:1" || !x509.NewCertPool().AppendCertsFromPEM(c.CA) {
		t.Errorf("cluster %+v", c)
	}
	if config.Users[0].User.Token != u.Token {
		t.Errorf("the token is not the user's")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// leaf reads a certificate and checks that its key is its own.
func leaf(t *testing.T, ca *Authority, file string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(ca.Path(file+".crt"), ca.Path(file+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func block(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pem.Decode(b)
	if p == nil {
		t.Fatalf("%s is not PEM", path)
	}
	return p.Bytes
}
