package procbackend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

const (
	jobFile    = "job.json"
	logFile    = "log"
	statusFile = "status.json"
)

// prepare makes the folder of a job anew. What is there was left by a process that died with an earlier one of us; only
// its log is worth keeping, in front of the new one.
func prepare(dir string, j train.Job) error {
	old, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // names come from outside
	if err != nil {
		return err
	}
	defer root.Close()
	if len(old) > 0 {
		if err := root.WriteFile(logFile, old, 0o600); err != nil {
			return err
		}
	}
	for name, content := range j.Files {
		switch name {
		case jobFile, logFile, statusFile:
			return fmt.Errorf("file %q of a job has a name of ours", name)
		}
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return fmt.Errorf("file %q: %w", name, err)
		}
		if err := root.WriteFile(name, []byte(content), 0o600); err != nil {
			return fmt.Errorf("file %q: %w", name, err)
		}
	}
	return root.WriteFile(jobFile, j.Spec, 0o600)
}

// result is the content of status.json.
type result struct {
	Phase    train.Phase `json:"phase"`
	ExitCode int         `json:"exit_code"`
	Reason   string      `json:"reason,omitempty"`
	Cause    train.Cause `json:"cause,omitempty"`
}

func writeStatus(dir string, st train.Status) error {
	b, err := json.Marshal(result(st))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, statusFile+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, statusFile))
}

// readStatus returns how a job ended: os.ErrNotExist if it has not, or if its end was not seen.
func readStatus(dir string) (train.Status, error) {
	b, err := os.ReadFile(filepath.Join(dir, statusFile))
	if err != nil {
		return train.Status{}, err
	}
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		return train.Status{}, fmt.Errorf("%s of a job: %w", statusFile, err)
	}
	return train.Status(r), nil
}
