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
// On Linux one Python process is kept that has imported what jobs import: the warm parent. It forks a process for each
// worker, which takes milliseconds where starting an interpreter takes seconds; about 200 MiB stay resident, and jobs share
// them. It comes with the backend, in the background. A forked worker is like one that was started: group, folder,
// environment, descriptors and exit status are the same, and workflows are imported in it alone. It shows as the parent's
// command in lists of processes. Nothing durable is in the parent:
//
//	it is not ready, will not fork, or cannot start   jobs are started one by one, with a warning unless it is on its way
//	it ends or is killed                              its jobs end with it and are lost (train.ErrNoJob); the next job is
//	                                                  started by itself and brings another parent
//	it hangs                                          it is killed once an order or a regular question has no answer
//	a job is killed                                   the parent and the other jobs go on
//
// What is installed into the environment while a parent lives is seen by the next parent only.
//
// Jobs die with this process, also when it is killed: on Linux the kernel sees to that. An attempt with a folder but
// without a status was such a job. It is unknown (train.ErrNoJob), its log can still be read, and a Submit starts it
// over.
package procbackend
