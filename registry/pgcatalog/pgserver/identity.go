package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity is the user that the server runs as: PostgreSQL refuses to run as root. The zero identity is our own user.
type identity struct {
	switched bool
	name     string
	uid, gid uint32
}

// runAs picks the identity: the owner of the data where there is some, else postgres, else nobody.
func runAs(data string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	st, err := os.Stat(data)
	if err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 {
			return identity{switched: true, name: "uid " + strconv.Itoa(int(sys.Uid)), uid: sys.Uid, gid: sys.Gid}, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return identity{}, err
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return identity{}, fmt.Errorf("user %s: %w", name, err)
		}
		if uid != 0 {
			return identity{switched: true, name: name, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return identity{}, errors.New("PostgreSQL does not run as root and there is no user postgres or nobody: add one, or start as another user")
}

// own makes path belong to the identity.
func (id identity) own(path string) error {
	if !id.switched {
		return nil
	}
	return os.Lchown(path, int(id.uid), int(id.gid))
}

// canReach checks that the identity may search dir and every folder above it.
func (id identity) canReach(dir string) error {
	if !id.switched {
		return nil
	}
	for {
		st, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !id.searchable(st) {
			return fmt.Errorf("the server runs as %s, which may not enter %s (%s): chmod o+x %s, or choose another place, or start as another user than root",
				id.name, dir, st.Mode().Perm(), dir)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// searchable looks at the first class that matches, as the kernel does. The server gets no supplementary groups.
func (id identity) searchable(st fs.FileInfo) bool {
	bit := fs.FileMode(0o001)
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		switch {
		case sys.Uid == id.uid:
			bit = 0o100
		case sys.Gid == id.gid:
			bit = 0o010
		}
	}
	return st.Mode()&bit != 0
}
