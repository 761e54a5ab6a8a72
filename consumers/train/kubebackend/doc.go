// Package kubebackend runs training jobs as Kubernetes Jobs. It needs no custom resource and no right beyond its
// namespace: Jobs (create, get, list, watch, delete), Pods and their logs (get, list, watch), Events (list), Secrets
// (create, delete; never read).
//
// One attempt is one Job with one pod, which is never restarted: another attempt is the machine's decision. Its name is
// made of run and attempt, and it is only ever created, so a Submit that is repeated finds the first one. Beside it, under
// the same name, stands the Secret with the job document and the workflow's sources, which the pod mounts.
//
//	Job and pod                                status
//	no Job, asked of the API server            ErrNoJob
//	Job is being deleted by somebody else      failed, disrupted
//	no pod, or none that runs                  pending, with the reason in words
//	pod runs                                   running
//	pod must go (evicted), and its time to
//	end in peace is over                       failed, disrupted
//	pod's node has been silent too long        failed, disrupted
//	Job complete                               succeeded
//	Job failed: DeadlineExceeded               failed, deadline
//	Job failed: container OOMKilled            failed, out of memory
//	Job failed: pod gone or disrupted          failed, disrupted
//	Job failed otherwise                       failed, with the exit status and the container's last words
//
// Informers only say when to look again and that a job still waits or runs. What ends an attempt is read from the API
// server itself: a cache may be behind, or empty after a restart.
//
// Kubernetes may start two pods of one Job, after a node came back for example. Both hold the same token; the first to
// claim the attempt gets it (registry.ClaimRun), the other one leaves.
package kubebackend
