package procbackend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

const (
	jobFile    = "job.json"
	logFile    = "log"
	statusFile = "status.json"
	ranksDir   = "ranks"
)

// prepare makes the folder of a job anew, and in it one for each further worker; they are returned by rank. What is there
// was left by a process that died with an earlier one of us; only its log is worth keeping, in front of the new one.
func prepare(dir string, j train.Job) ([]string, error) {
	old, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	folders := []string{dir}
	for rank := 1; rank < j.Workers; rank++ {
		folders = append(folders, filepath.Join(dir, ranksDir, strconv.Itoa(rank)))
	}
	for _, folder := range folders {
		if err := fill(folder, j); err != nil {
			return nil, err
		}
	}
	if len(old) > 0 {
		return folders, os.WriteFile(filepath.Join(dir, logFile), old, 0o600)
	}
	return folders, nil
}

// fill makes a folder with the job document and its files.
func fill(dir string, j train.Job) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // names come from outside
	if err != nil {
		return err
	}
	defer root.Close()
	for name, content := range j.Files {
		switch first, _, _ := strings.Cut(path.Clean(name), "/"); first {
		case jobFile, logFile, statusFile, ranksDir:
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
