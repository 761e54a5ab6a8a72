// Package procengine runs the dataset engine as a child process, the program signalbox-duckdb: so the service needs no
// cgo, and a build that takes too much memory or crashes takes nothing else with it.
//
// A build is one process: the request is JSON on standard input, which stays open while the parent lives; the reply is
// JSON on standard output. The child ends when its input does.
package procengine
