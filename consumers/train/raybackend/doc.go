// Package raybackend runs training jobs on a Ray cluster that stands already, through Ray's jobs API. Who reaches that API
// runs code on the cluster, so the address comes from the operator alone, and away from loopback it needs a token and TLS
// unless the operator says that the network is closed.
//
// One attempt is one job of Ray, named run-<run>-<attempt>. Ray refuses a second job of that name, so a Submit that is
// repeated finds the first one; a job that somebody else gave that name is an error. The job document and the workflow's
// sources travel as a zip file named by its content, which Ray keeps while the job lives.
//
//	job at Ray                                  status
//	Ray says that it has no such job            ErrNoJob
//	no answer, or one that is not the API's     an error: nothing is known, so nothing is lost
//	PENDING                                     pending, with the reason in words
//	RUNNING                                     running
//	SUCCEEDED                                   succeeded
//	STOPPED, or still there after the deadline  failed, deadline
//	STOPPED before it                           failed, disrupted: somebody stopped it
//	FAILED by its exit status                   failed, with the status and the last line of the log
//	FAILED, killed for memory                   failed, out of memory
//	FAILED, node or supervisor lost             failed, disrupted
//	FAILED, never got its resources             failed, disrupted
//
// Ray has no deadlines. The job's metadata hold it, counted from the submission, and whoever asks for the status after it
// stops the job, so it holds over restarts of this process.
package raybackend
