package events

// The life of a training run. Subject: the run id.
const (
	TypeRunRequested = "dev.signalbox.run.requested"
	TypeRunStarted   = "dev.signalbox.run.started"
	TypeRunSucceeded = "dev.signalbox.run.succeeded"
	TypeRunFailed    = "dev.signalbox.run.failed"
	TypeRunCancelled = "dev.signalbox.run.cancelled"
)

// RunChanged is the data of every run event.
type RunChanged struct {
	RunID     string     `json:"run_id"`
	RunKey    string     `json:"run_key"` // digest of {model, workflow and code, parameters, dataset}
	Model     string     `json:"model"`
	Dataset   string     `json:"dataset,omitempty"` // digest
	Attempt   int        `json:"attempt"`
	State     string     `json:"state"`
	Reason    string     `json:"reason,omitempty"`
	Package   string     `json:"package,omitempty"` // digest, once succeeded
	Exception *Exception `json:"exception,omitempty"`
}

// Exception says why a run failed.
type Exception struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Step      string `json:"step"`
	Retryable bool   `json:"retryable"`
}
