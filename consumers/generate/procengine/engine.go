package procengine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
)

// Config says which program to run.
type Config struct {
	// Path is the engine's executable. Empty: the one beside this program, else the one in PATH.
	Path string
}

// Engine implements generate.Engine.
type Engine struct {
	path string
}

// New finds the engine's executable: ErrNoProgram where there is none.
func New(cfg Config) (*Engine, error) {
	path, err := find(cfg.Path)
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	return &Engine{path: path}, nil
}

// Build implements generate.Engine. The child is killed when ctx ends.
func (e *Engine) Build(ctx context.Context, r generate.Request) (generate.Result, error) {
	request, err := json.Marshal(r)
	if err != nil {
		return generate.Result{}, fmt.Errorf("encode request: %w", err)
	}
	out, errs := &head{limit: 16 << 20}, &head{limit: 4 << 10}
	cmd := exec.CommandContext(ctx, e.path)
	cmd.Env = environment()
	cmd.Dir = r.Temp
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = 5 * time.Second
	err = run(cmd, request)
	if cause := context.Cause(ctx); cause != nil {
		return generate.Result{}, fmt.Errorf("build: %w", cause)
	}
	var reply generate.Reply
	switch jsonErr := json.Unmarshal(out.kept.Bytes(), &reply); {
	case jsonErr == nil && reply.Error != nil:
		return generate.Result{}, reply.Error
	case err != nil:
		return generate.Result{}, died(cmd, err, errs.kept.String())
	case jsonErr != nil:
		return generate.Result{}, fmt.Errorf("%s answered %q: is it of the same version? %w", e.path, clip(out.kept.String()), jsonErr)
	case reply.Result == nil:
		return generate.Result{}, fmt.Errorf("%s answered without a result: is it of the same version?", e.path)
	}
	return *reply.Result, nil
}

// run starts the child and waits for it, on one thread for the child's whole life: the kernel sends the parent-death
// signal when the thread that started the child ends, and the Go runtime may end a thread that nobody holds.
func run(cmd *exec.Cmd, request []byte) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			done <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		// The pipe stays open until the child has ended. A child that is gone already cannot read; Wait says more.
		_, _ = stdin.Write(append(request, '\n'))
		done <- cmd.Wait()
	}()
	return <-done
}

// environment keeps secrets out of a process that runs users' SQL.
func environment() []string {
	env := []string{"TZ=UTC", "LC_ALL=C"}
	if v, ok := os.LookupEnv("LD_LIBRARY_PATH"); ok {
		env = append(env, "LD_LIBRARY_PATH="+v)
	}
	return env
}

// died describes a child that ended without a reply.
func died(cmd *exec.Cmd, err error, words string) error {
	if cmd.ProcessState == nil {
		return err
	}
	hint := ""
	if strings.Contains(cmd.ProcessState.String(), "killed") {
		hint = "; if the system ran out of memory, lower the dataset memory limit: the process needs half as much again"
	}
	return &generate.EngineError{Kind: generate.KindInternal,
		Message: fmt.Sprintf("%s ended: %s%s; its last words: %s", Program, cmd.ProcessState, hint, clip(words))}
}

func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1000 {
		s = s[:1000] + "…"
	}
	return s
}

// head keeps the first limit bytes and drops the rest.
type head struct {
	kept  bytes.Buffer
	limit int
}

// Write implements io.Writer; it never fails, so that the child never blocks.
func (h *head) Write(p []byte) (int, error) {
	if room := h.limit - h.kept.Len(); room > 0 {
		h.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
