package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// file is an entry of a layer.
type file struct {
	source string
	header *tar.Header
}

// list returns the entries of a layer in the order in which they are written. Directories can be entered and files read
// by everybody, whatever the umask of their maker; who may execute a file stays, as do sticky directories.
func list(root string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h := header(filepath.ToSlash(name), 0)
		switch {
		case info.Mode().IsRegular():
			h.Size = info.Size()
			if info.Mode()&0o111 != 0 {
				h.Mode = 0o755
			}
		case d.IsDir():
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, h.Name+"/", 0o755
			if info.Mode()&fs.ModeSticky != 0 {
				h.Mode = 0o1777
			}
		case info.Mode()&fs.ModeSymlink != 0:
			h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
			if h.Linkname, err = os.Readlink(path); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is neither a file nor a directory nor a link", path)
		}
		files = append(files, file{path, h})
		return nil
	})
	return files, err
}

func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)}
}

func writeLayer(w io.Writer, files []file) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := tw.WriteHeader(f.header); err != nil {
			return err
		}
		if f.header.Typeflag != tar.TypeReg {
			continue
		}
		if err := copyFile(tw, f.source); err != nil {
			return err
		}
	}
	return tw.Close()
}

func copyFile(w io.Writer, path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
