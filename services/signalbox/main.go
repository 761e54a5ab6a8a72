// Signalbox is the whole service in one binary: the servers, the workers and the command line.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
