// Package train carries runs through their states: it starts a job for each requested run, copies its log while it runs,
// and follows it to its end. What is true stands in the catalog; an event only makes the next look come sooner.
//
// One attempt of a run:
//
//	requested --a slot is free--> queued --Submit--> (job pending) --job runs, or reports--> running --report--> complete
//	                                ^                     |                                    |    --report--> failed
//	                                |                     v                                    v
//	                                +----- retry ---- ended without a report, or lost ---------+ --no retry--> failed
//
// The job reports its own end through the control plane, fenced by its attempt; the machine only judges attempts that
// ended without a report. cancelled is reached from any of them, by whoever cancels; the machine then stops the job.
//
// A run asks for a compute class; a class has a backend. A run that has a job keeps it. The others wait for a slot: by
// priority, which grows while they wait, within the limits of all jobs, of their class and of their project. Classes with
// a queue of the cluster's own have no limits here. Why a run waits stands in its history, once for each reason.
//
// Each look goes over the runs that are requested, queued or running; while every slot is taken, over the requested ones every
// 5 s. It queues those for which there is a slot now. For each one that has a slot a step is begun,
// unless one is under way; looks wait neither for steps nor for the search for unwanted jobs:
//
//	state      job                        what happens
//	requested  -                          queued, as attempt 1
//	queued     unknown                    submitted: idempotent by run and attempt
//	queued     pending                    nothing, or a note of what it waits for
//	queued     running                    started
//	running    running                    log copied
//	any        ended, no report           log copied; retried or failed; out of memory: on a larger class
//	running    unknown                    lost: retried or failed
//
// and for each attempt that was followed and is over (final state, or another attempt): the job gets a moment to end by
// itself, the rest of the log is copied, the backend forgets the job, the whole log is put. Once a minute, jobs that
// nobody follows and no run wants are ended likewise.
//
// What can go wrong:
//
//	fault                                 effect
//	event lost, late or twice             the poll finds the run; a second look changes nothing
//	machine dies before Submit            the run is queued and unknown: the next one submits it
//	machine dies after Submit             the next one follows the job, or finds it lost if it died with the machine
//	Submit's answer is lost               Submit is repeated and finds the job
//	job ends between two looks            its report came first, and it is read again before anybody judges
//	report delivered, answer lost         the job repeats it: the same report twice is one
//	job killed                            next attempt, up to MaxAttempts
//	job out of memory                     next attempt on the next larger class of its kind; failed where there is none
//	job evicted or deleted, node lost,
//	machine restarts, local jobs die      next attempt; these do not count up to MaxAttempts, but up to maxLost
//	two attempts alive at once            the older one's reports, artifacts and completion are refused
//	two executors of one attempt          the second one's claim is refused
//	a log cannot be read                  the other runs go on; once the attempt is over it is tried for a minute, then given up:
//	                                      the node may be silent for good, and what the job sent by itself is kept
//	backend away                          nothing is concluded from that; the next look asks again
//	run's dataset or workflow is gone     failed as JobInvalid: no retry helps
//	catalog, bucket or backend fails      logged, the next look tries again
//	put of a log chunk has no answer      the chunk that is there is measured and the copy goes on behind it
//
// One machine works at a time: two on one backend would each take the other's jobs for lost.
package train
