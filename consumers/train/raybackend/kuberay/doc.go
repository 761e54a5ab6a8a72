// Package kuberay runs training jobs as RayJobs of the KubeRay operator: each attempt has a Ray cluster of its own, which
// goes when the job ends. It needs RayJobs (create, get, list, delete), RayClusters (get) and Secrets (create, delete; never
// read) in its namespace, and no right on pods: the operator makes them.
//
// The operator sends the job to the cluster's head over HTTP (submissionMode HTTPMode). The other way, a third pod that
// submits it, would be one more pod to confine, with an image and a way into the head of its own. The job document is a
// file of a Secret that the head mounts, so that it never passes through Ray.
//
//	RayJob                                      status
//	no RayJob, asked of the API server          ErrNoJob
//	is being deleted by somebody else           failed, disrupted
//	suspended, waiting or initializing          pending, with the reason in words: of the RayCluster, where it has one
//	let go by its queue and suspended again       failed, disrupted
//	job at Ray pending or unknown               pending
//	job at Ray running                          running
//	running, the RayCluster or its head is gone failed, disrupted: the operator would not see it before the deadline
//	Complete, job at Ray succeeded              succeeded
//	Failed: DeadlineExceeded                    failed, deadline
//	Failed or Complete, job at Ray failed       failed, as Ray's message says
//	Failed otherwise                            failed, disrupted: the cluster did not come, or is gone
//
// What the operator adds to our pods, as of KubeRay 1.5, and why they stay confined. It is tested against the real one.
//
//	command             bash -c "ulimit -n 65536; ray start ...": images need bash, and ray in their PATH
//	/dev/shm            an emptyDir in memory, as large as the memory limit and counted against it
//	RAY_AUTH_TOKEN      from a Secret of the cluster's name, which the operator makes: 2.52.0 is the first Ray that asks for it
//	wait-gcs-ready      an init container of workers, with the same image, securityContext, variables and mounts, 256 MiB
//	probes              bash and wget, where a pod has none: ours have, and ask Ray over HTTP, where it wants no token
package kuberay
