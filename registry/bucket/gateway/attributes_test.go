package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// flatFS is a file system without attributes, or one that cuts them.
type flatFS struct {
	store, retrieve error
	value           []byte
}

func (f flatFS) StoreAttribute(*os.File, string, string, string, []byte) error { return f.store }

func (f flatFS) RetrieveAttribute(*os.File, string, string, string) ([]byte, error) {
	return f.value, f.retrieve
}

func TestCheckAttributes(t *testing.T) {
	dir := t.TempDir()
	if err := checkAttributes(dir, xattrs()); err != nil {
		t.Errorf("the directory of the tests: %v", err)
	}
	for name, m := range map[string]flatFS{
		"not supported":   {store: syscall.ENOTSUP},
		"write only":      {retrieve: syscall.ENODATA},
		"too few bytes":   {value: []byte("xx")},
		"no space for it": {store: syscall.ENOSPC},
	} {
		if err := checkAttributes(dir, m); !errors.Is(err, ErrNoAttributes) {
			t.Errorf("%s: got %v, want %v", name, err, ErrNoAttributes)
		}
	}
	if err := checkAttributes(filepath.Join(dir, "absent"), xattrs()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
}
