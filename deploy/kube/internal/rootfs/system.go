package rootfs

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// system writes the files that programs expect of any system. The user is the one that images without root have.
func system(out string) error {
	for name, content := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/:/sbin/nologin\nsignalbox:x:65532:65532:signalbox:/tmp:/sbin/nologin\n",
		"etc/group":         "root:x:0:\nsignalbox:x:65532:\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	} {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	tmp := filepath.Join(out, "tmp")
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o777|fs.ModeSticky); err != nil { // past the umask
		return err
	}
	for _, path := range []string{caFile, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"} {
		err := place(path, filepath.Join(out, caFile))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.New("this machine has no bundle of certificate authorities: install ca-certificates")
}

//go:embed compile.py
var compileScript string

// compile adds the byte code of what jobs import: the image is read-only, and compiling it at every start would cost
// each job seconds. The interpreter is the one in out, so that what is missing in there fails here.
func compile(ctx context.Context, out string) error {
	python := filepath.Join(out, pythonHome, "bin", "python")
	cmd := exec.CommandContext(ctx, python, "-S", "-B", "-c", compileScript, out, pythonHome, sourceHome)
	// One seed and one order: what is shared in byte code depends on what was seen before.
	cmd.Env = []string{"PYTHONHASHSEED=0", "PYTHONNOUSERSITE=1", "LD_LIBRARY_PATH=" + filepath.Join(out, libraries), "LANG=C.UTF-8", "HOME=/nonexistent"}
	cmd.Dir = "/"
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile what jobs import: %w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}

func size(dir string) (files int, total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		total += info.Size()
		return nil
	})
	return files, total, err
}
