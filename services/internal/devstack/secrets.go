package devstack

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// Secrets are the credentials of one stack, made at its first start and kept with its data.
type Secrets struct {
	S3AccessKey string     `json:"s3_access_key"`
	S3SecretKey string     `json:"s3_secret_key"`
	RunKey      string     `json:"run_key"`     // signs the tokens of jobs
	AdminToken  string     `json:"admin_token"` // of whoever can read this directory
	Admin       auth.Token `json:"admin"`
}

const secretsFile = "secrets.json"

// LoadSecrets reads dir's secrets, or makes them. The file is readable by its owner only.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, secretsFile)
	s, err := readSecrets(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecrets(path)
	}
	return s, err
}

func readSecrets(path string) (Secrets, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Secrets{}, fmt.Errorf("read secrets: %w", err)
	}
	var s Secrets
	if err := json.Unmarshal(b, &s); err != nil {
		return Secrets{}, fmt.Errorf("secrets %s: %w: restore the file, or start on a new data directory", path, err)
	}
	return s, nil
}

func newSecrets(path string) (Secrets, error) {
	text, admin, err := auth.NewToken("admin", auth.Admin)
	if err != nil {
		return Secrets{}, err
	}
	s := Secrets{S3AccessKey: "signalbox", S3SecretKey: randomHex(), RunKey: randomHex(), AdminToken: text, Admin: admin}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Secrets{}, fmt.Errorf("secrets: %w", err)
	}
	return s, WriteFile(path, append(b, '\n'))
}

func randomHex() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: the runtime ends the program instead
	return hex.EncodeToString(b)
}

// WriteFile replaces path by b at once or not at all, readable by its owner only.
func WriteFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) // gone already where the rename succeeded
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
