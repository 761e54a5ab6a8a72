// Command job is what the tests run in pods: it says who it is, waits, or takes more memory than it may.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	switch os.Args[1] {
	case "greet":
		fmt.Println("hello from user", os.Getuid())
	case "wait":
		time.Sleep(time.Hour)
	case "eat":
		var eaten [][]byte
		for range 1024 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			eaten = append(eaten, b)
		}
		fmt.Println("still alive with", len(eaten), "MiB")
	}
}
