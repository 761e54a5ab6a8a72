//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Prefixes of the chains that the kubelet, kube-proxy and the plugins of pods' networks make.
var chainPrefixes = []string{"KUBE-", "CNI-"}

var families = []string{"iptables", "ip6tables"}

// foreignKubernetes refuses a machine whose iptables belong to a Kubernetes already: its chains have the same names as
// ours, and cleaning up would take them away.
func foreignKubernetes() error {
	for _, family := range families {
		rules, err := save(family)
		if err != nil {
			return err
		}
		if len(undo(rules)) > 0 {
			return errors.New("iptables holds chains of a Kubernetes that this is not (KUBE-…, CNI-…): it would be disturbed; take --mode api or another machine")
		}
	}
	return nil
}

// deleteChains removes every chain of Kubernetes and what leads there.
func deleteChains() error {
	for _, family := range families {
		rules, err := save(family)
		if err != nil {
			return err
		}
		commands := undo(rules)
		if len(commands) == 0 {
			continue
		}
		path, err := tool(family + "-restore")
		if err != nil {
			return err
		}
		cmd := exec.Command(path, "--noflush")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s-restore: %w: %s", family, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

func save(family string) (string, error) {
	path, err := tool(family + "-save")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path).Output()
	if err != nil {
		return "", fmt.Errorf("%s-save: %w", family, err)
	}
	return string(out), nil
}

// undo turns the output of iptables-save into commands for iptables-restore that remove our chains: first the rules of
// others that jump there, then the content of the chains, then the chains.
func undo(rules string) []string {
	var commands, rest, chains []string
	table := ""
	for _, line := range strings.Split(rules, "\n") {
		switch {
		case strings.HasPrefix(line, "*"):
			table, rest, chains = line, nil, nil
		case strings.HasPrefix(line, ":"):
			if name, _, _ := strings.Cut(line[1:], " "); ours(name) {
				chains = append(chains, name)
			}
		case strings.HasPrefix(line, "-A "):
			if from, target := jump(line); !ours(from) && ours(target) {
				rest = append(rest, "-D"+line[2:])
			}
		case line == "COMMIT" && len(chains) > 0:
			commands = append(append(commands, table), rest...)
			for _, chain := range chains {
				commands = append(commands, "-F "+chain)
			}
			for _, chain := range chains {
				commands = append(commands, "-X "+chain)
			}
			commands = append(commands, "COMMIT")
		}
	}
	return commands
}

// jump returns the chain that a rule is in and the one that it jumps to, if any.
func jump(rule string) (from, target string) {
	words := strings.Fields(rule)
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "-A":
			from = words[i+1]
		case "-j", "-g":
			target = words[i+1]
		}
	}
	return from, target
}

func ours(chain string) bool {
	for _, p := range chainPrefixes {
		if strings.HasPrefix(chain, p) {
			return true
		}
	}
	return false
}
