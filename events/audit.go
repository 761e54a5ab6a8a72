package events

import "encoding/json"

// TypeAuditRecorded says who changed what. Subject: the object.
const TypeAuditRecorded = "dev.signalbox.audit.recorded"

// AuditRecorded is the data of TypeAuditRecorded.
type AuditRecorded struct {
	Actor     string          `json:"actor"`
	Action    string          `json:"action"` // permission that allowed it
	Object    string          `json:"object"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Decision  string          `json:"decision"`
	RequestID string          `json:"request_id,omitempty"`
}
