package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/versity/versitygw/backend/meta"
)

// ErrNoAttributes reports a file system on which the gateway cannot keep its promises. The server could store its
// metadata in files beside the objects instead, but then loses updates in races: that is refused, not offered.
var ErrNoAttributes = errors.New("the file system keeps no user extended attributes: " +
	"put the data directory on ext4, xfs, btrfs, zfs or APFS, or configure an S3 server")

// attributes is the part of the server's metadata store that the probe needs.
type attributes interface {
	StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error
	RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error)
}

func xattrs() attributes { return meta.XattrMeta{} }

// checkAttributes writes an attribute to a file in dir and reads it back.
func checkAttributes(dir string, m attributes) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("probe %s: %w", dir, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	want := bytes.Repeat([]byte("x"), 1024)
	if err = m.StoreAttribute(f, "", "", "probe", want); err != nil {
		return fmt.Errorf("probe %s: %w (%w)", dir, ErrNoAttributes, err)
	}
	got, err := m.RetrieveAttribute(f, "", "", "probe")
	if err != nil {
		return fmt.Errorf("probe %s: %w (%w)", dir, ErrNoAttributes, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("probe %s: %w (%d bytes came back of %d)", dir, ErrNoAttributes, len(got), len(want))
	}
	return nil
}
