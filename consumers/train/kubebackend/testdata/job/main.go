// Command job is what the pods of the tests run in the place of the Python launcher: it asks the test how to end.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "work" {
		work()
	}
	// The first process of a container cannot be killed by its own kind, so the work is done by a second one.
	cmd := exec.Command("/proc/self/exe", "work")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	_ = cmd.Run() // the state says more
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		os.Exit(128 + int(ws.Signal()))
	}
	os.Exit(ws.ExitStatus())
}

func work() {
	if _, err := os.ReadFile("/signalbox/job/job.json"); err != nil {
		fmt.Println(err)
		os.Exit(90)
	}
	if os.Getenv("SIGNALBOX_EXECUTOR") == "" || os.WriteFile("/etc/canary", nil, 0o600) == nil {
		os.Exit(91) // no identity, or a root that can be written
	}
	rank := os.Getenv("SIGNALBOX_RANK")
	if (net.ParseIP(os.Getenv("SIGNALBOX_ADDRESS")) == nil) != (rank == "") {
		os.Exit(92) // a worker among others knows where it is reached, and no other does
	}
	fmt.Print("begin\n")
	host, _ := os.Hostname()
	for {
		resp, err := http.Get(os.Getenv("CONTROL") + "/end?pod=" + host + "&rank=" + rank)
		if err != nil {
			time.Sleep(100 * time.Millisecond) // the test is not listening yet
			continue
		}
		order, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		obey(string(order))
	}
}

func obey(order string) {
	switch what, arg, _ := strings.Cut(order, " "); what {
	case "exit":
		fmt.Print("end\n")
		code, _ := strconv.Atoi(arg)
		os.Exit(code)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "memory":
		var hoard [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = byte(i)
			}
			hoard = append(hoard, b)
		}
	case "disk":
		f, err := os.Create("/signalbox/work/large")
		for err == nil {
			_, err = f.Write(make([]byte, 1<<20))
		}
	}
}
