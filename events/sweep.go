package events

// The life of a hyperparameter search. Subject: the sweep's id.
const (
	TypeSweepStarted = "dev.signalbox.sweep.started"
	TypeSweepEnded   = "dev.signalbox.sweep.ended"
)

// SweepChanged is the data of both.
type SweepChanged struct {
	SweepID string `json:"sweep_id"`
	Model   string `json:"model"`
	Dataset string `json:"dataset,omitempty"` // digest
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Best    string `json:"best,omitempty"`    // run id, once complete
	Package string `json:"package,omitempty"` // digest of what the best run left
}
