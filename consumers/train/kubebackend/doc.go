// Package kubebackend runs training jobs as Kubernetes Jobs. It needs no custom resource and no right beyond its
// namespace: Jobs (create, get, list, watch, delete), Pods and their logs (get, list, watch), Events (list), Secrets
// (create, delete; never read).
//
// One attempt is one Job with one pod, or one for each worker, which is never restarted: another attempt is the machine's
// decision. The Job's name is made of run and attempt, and it is only ever created, so a Submit that is repeated finds the
// first one. Beside it, under the same name, stands the Secret with the job document and the workflow's sources, which the
// pods mount.
//
// A job with several workers is an Indexed Job: a pod for each, whose index is its rank. Each is told its rank and its pod's
// address; how they find each other is between them and the control plane, so there is no Service and no name to resolve.
// Together they are one attempt: it runs once all of them do, it succeeds once all have, and the first that fails is why it
// failed. The Job controller then deletes the others, which would wait for it for ever. Nothing here sees to it that a
// cluster has room for all of them before the first one starts: that is the queue's (Kueue admits a Job whole). Where some
// wait for room and others for them, the runner gives up after a while and the attempt is repeated. The log of the run is
// that of rank 0; the last line of another that fails is in the reason.
//
//	Job and pod                                status
//	no Job, asked of the API server            ErrNoJob
//	Job is being deleted by somebody else      failed, disrupted
//	suspended, and was never let go            pending, with the queue's name
//	suspended again, or let go once more       failed, disrupted, once no pod runs any more
//	no pod, or none that runs                  pending, with the reason in words
//	pod runs                                   running, once those of all ranks do
//	pod must go (evicted), and its time to
//	end in peace is over                       failed, disrupted
//	pod's node has been silent too long        failed, disrupted
//	Job complete                               succeeded
//	one of several pods failed                 failed, by that one, named by its rank
//	Job failed: DeadlineExceeded               failed, deadline
//	Job failed: container OOMKilled            failed, out of memory
//	Job failed: pod gone or disrupted          failed, disrupted
//	Job failed otherwise                       failed, with the exit status and the container's last words
//
// Informers only say when to look again and that a job still waits or runs. What ends an attempt is read from the API
// server itself: a cache may be behind, or empty after a restart. Looks are many and jobs too, so what the
// caches answer costs no request: the log of a job that waits or runs is empty, and why a job has no pod is asked after 3 s, then
// ever more seldom. Requests are limited, and those of looks stand before those that make the next Job.
//
// A class with a queue leaves it to Kueue (tested: 0.15) when its jobs start. Jobs only carry the label; Kueue's webhook
// suspends them before anybody sees them, and Kueue lets them go, all workers at once, when the queue has room. It takes a
// job back for one with a higher priority, for example: its pods end, and when it lets the job go again there would be new
// ones, which are not the executor that has the attempt. So a job that was let go and suspended again is over, as with a lost
// node, and the run's next attempt waits for its turn with a Job of its own. Whoever suspends a Job by hand gets the same.
// What Kueue keeps of a Job, its Workload, goes with the Job.
//
// The cluster's operator installs Kueue as it comes, with the integration batch/job, and makes a LocalQueue of the class's
// name in our namespace, a ClusterQueue that admits the namespace, and its ResourceFlavors. The ClusterQueue must have quotas
// for everything that our pods ask for (cpu, memory, ephemeral-storage, and the class's devices), or else the jobs wait for
// ever. A class's PriorityClass is its jobs' priority in the queue, too. We need no right for any of this.
//
// Kubernetes may start two pods of one Job, after a node came back for example. Both hold the same token; the first to
// claim the attempt gets it (registry.ClaimRun), the other one leaves.
package kubebackend
