package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// filesOf returns the files that a directory has in a revision of git, by path below it. A directory that the revision
// does not have is empty.
func filesOf(ctx context.Context, dir, revision string) (map[string][]byte, error) {
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("there is no such revision here, or %s is in no repository: fetch it, or correct the name: %w", dir, err)
	}
	id := strings.TrimSpace(string(commit))
	list, err := git(ctx, dir, "ls-tree", "-r", "-z", "--name-only", id, "--", ".")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for name := range strings.SplitSeq(string(list), "\x00") {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		if out[name], err = git(ctx, dir, "show", id+":./"+name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("git is not installed: install it, or leave --against out")
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
