package pki

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// User is somebody who shows the API server a token.
type User struct {
	// Name is the user's name to Kubernetes, such as system:kube-scheduler.
	Name string
	// Group is the user's one group, or empty.
	Group string
	// Token is the secret.
	Token string
}

// NewUser makes a user with a token of 130 bits.
func NewUser(name, group string) User { return User{Name: name, Group: group, Token: rand.Text()} }

// WriteTokens writes the file that --token-auth-file reads.
func WriteTokens(path string, users ...User) error {
	var lines strings.Builder
	for _, u := range users {
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", u.Token, u.Name, u.Name, u.Group)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o600)
}

// WriteKubeconfig writes a file with which a user reaches server, complete in itself. It is JSON, which is YAML too.
func (a *Authority) WriteKubeconfig(path, server string, u User) error {
	type cluster struct {
		Server string `json:"server"`
		CA     []byte `json:"certificate-authority-data"`
	}
	type user struct {
		Token string `json:"token"`
	}
	type context struct {
		Cluster   string `json:"cluster"`
		User      string `json:"user"`
		Namespace string `json:"namespace"`
	}
	type namedCluster struct {
		Name    string  `json:"name"`
		Cluster cluster `json:"cluster"`
	}
	type namedUser struct {
		Name string `json:"name"`
		User user   `json:"user"`
	}
	type namedContext struct {
		Name    string  `json:"name"`
		Context context `json:"context"`
	}
	b, err := json.MarshalIndent(struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Clusters   []namedCluster `json:"clusters"`
		Users      []namedUser    `json:"users"`
		Contexts   []namedContext `json:"contexts"`
		Current    string         `json:"current-context"`
	}{
		"v1", "Config",
		[]namedCluster{{"kube", cluster{server, a.PEM()}}},
		[]namedUser{{"kube", user{u.Token}}},
		[]namedContext{{"kube", context{"kube", "kube", "default"}}},
		"kube",
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}
