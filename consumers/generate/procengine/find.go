package procengine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program is the name of the engine's executable.
const Program = "signalbox-duckdb"

// ErrNoProgram reports that the engine's executable is not there.
var ErrNoProgram = errors.New("the dataset engine " + Program + " is not installed")

// find returns the program's path: the configured one, else the one beside this executable, else the one in PATH.
func find(configured string) (string, error) {
	if configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return "", fmt.Errorf("%w: %s is no program that can be run: build it with `make build` or correct the path: %w", ErrNoProgram, configured, err)
		}
		return path, nil
	}
	beside := "the folder of this program"
	if self, err := os.Executable(); err == nil {
		beside = filepath.Dir(self)
		if path, err := exec.LookPath(filepath.Join(beside, Program)); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(Program); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%w: it is neither in %s nor in PATH: build it with `make build`", ErrNoProgram, beside)
}
