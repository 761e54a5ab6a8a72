// Package procbackend runs training jobs as local processes, each in a process group and a folder of its own:
//
//	DIR/<run>/<attempt>/job.json      the job document; it holds a token, so the folder is closed to others
//	DIR/<run>/<attempt>/workflow/...  the workflow's sources
//	DIR/<run>/<attempt>/log           standard output and standard error
//	DIR/<run>/<attempt>/status.json   how it ended; written whole or not at all
//
// A job with several workers has a process for each. That of rank 0 is as above; the others have their document and sources
// in DIR/<run>/<attempt>/ranks/<rank>, and write to the same log. The first of them to fail ends the others, and its end is
// the job's.
//
// Jobs die with this process, also when it is killed: on Linux the kernel sees to that. An attempt with a folder but
// without a status was such a job. It is unknown (train.ErrNoJob), its log can still be read, and a Submit starts it
// over.
package procbackend
