// Package pgserver runs a private PostgreSQL cluster as a child process: a database that comes with the program, lives
// under one directory and dies with it. It needs PostgreSQL's own binaries and downloads nothing.
//
// The directory survives kill -9 of the parent: the kernel tells the child (on Linux), the next Start stops whatever is
// left of it, and the database recovers from its log. A lock file keeps two parents apart.
package pgserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

const (
	// User is the role that owns everything.
	User = "signalbox"
	// Database is the database that URL names.
	Database = "signalbox"
	// MinMajor is the oldest major version of PostgreSQL that is accepted.
	MinMajor = 15
	// EnvBinDir names the environment variable that says where the binaries are, unless Config.BinDir does.
	EnvBinDir = "SIGNALBOX_PG_BIN"
)

// Config says where a cluster lives and how it runs.
type Config struct {
	// Dir holds the data, the password and the log. It is made if missing. Required.
	Dir string
	// BinDir holds the binaries postgres and initdb. Empty means $SIGNALBOX_PG_BIN, else the usual places are searched.
	BinDir string
	// ExtraBinDirs are searched last, such as the pginstall18/bin of a Python package in a virtual environment.
	ExtraBinDirs []string
	// Addr is the loopback address to listen on; port 0 means a free one. Empty means 127.0.0.1:0.
	Addr string
	// Password of the role User. Empty means the one in Dir/password, which is made up at the first start.
	Password string
	// Fast gives up durability for speed: a crash of the machine loses data. For tests.
	Fast bool
	// Log receives what the server prints. nil means Dir/postgres.log.
	Log io.Writer
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir is empty: name a directory for the data"))
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		errs = append(errs, fmt.Errorf("addr %q: want host:port such as 127.0.0.1:0", c.Addr))
	} else {
		// The wire is not encrypted, and a database for the network wants an operator.
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			errs = append(errs, fmt.Errorf("addr %q: want a loopback address; give a database of the network by its URL", c.Addr))
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			errs = append(errs, fmt.Errorf("addr %q: want a port from 0 to 65535", c.Addr))
		}
	}
	return errors.Join(errs...)
}
