package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/services/internal/devstack"
)

// Endpoints says where a running stack is and how to get in. `up` writes it as DIR/endpoints.json, readable by its owner
// only, once every role is ready, and removes it when it stops.
type Endpoints struct {
	Control  string      `json:"control"`
	Predict  string      `json:"predict"`
	Metrics  string      `json:"metrics"`
	Token    string      `json:"token"`
	Kafka    string      `json:"kafka"`
	S3       S3Endpoints `json:"s3"`
	Postgres string      `json:"postgres"`
}

// S3Endpoints is how to reach the object store.
type S3Endpoints struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Bucket    string `json:"bucket"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

func endpointsFile(dir string) string { return filepath.Join(dir, "endpoints.json") }

// write makes the file appear at once.
func (e Endpoints) write(dir string) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("endpoints: %w", err)
	}
	return devstack.WriteFile(endpointsFile(dir), append(b, '\n'))
}

// readEndpoints finds the stack that runs on dir.
func readEndpoints(dir string) (Endpoints, error) {
	b, err := os.ReadFile(endpointsFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoints{}, fmt.Errorf("no stack is running on %s: start one with `signalbox up --data %s`, or set SIGNALBOX_URL and SIGNALBOX_TOKEN", dir, dir)
	}
	if err != nil {
		return Endpoints{}, fmt.Errorf("read endpoints: %w", err)
	}
	var e Endpoints
	if err := json.Unmarshal(b, &e); err != nil {
		return Endpoints{}, fmt.Errorf("endpoints %s: %w", endpointsFile(dir), err)
	}
	return e, nil
}

// exports prints shell exports under the names that other tools read.
func (e Endpoints) exports(w io.Writer) error {
	for _, v := range [][2]string{
		{"SIGNALBOX_URL", e.Control}, {"SIGNALBOX_PREDICT_URL", e.Predict}, {"SIGNALBOX_TOKEN", e.Token},
		{"KAFKA_BROKERS", e.Kafka}, {"AWS_ENDPOINT_URL_S3", e.S3.Endpoint}, {"AWS_ACCESS_KEY_ID", e.S3.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", e.S3.SecretKey}, {"AWS_REGION", e.S3.Region}, {"SIGNALBOX_BUCKET", e.S3.Bucket},
		{"DATABASE_URL", e.Postgres},
	} {
		if _, err := fmt.Fprintf(w, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`)); err != nil {
			return err
		}
	}
	return nil
}
