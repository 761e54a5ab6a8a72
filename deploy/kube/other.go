//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "kube: the kubelet and containers need Linux: run it in a virtual machine")
	os.Exit(1)
}
