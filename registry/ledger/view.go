package ledger

import (
	"errors"

	"github.com/google/uuid"
)

// ErrViewMoved reports a table that somebody else changed meanwhile: load it again.
var ErrViewMoved = errors.New("archive view moved by another")

// View is a table that shows the files of a topic to readers of Apache Iceberg.
type View struct {
	TopicID uuid.UUID
	// Catalog, Namespace and Name are what readers call the table. They stay.
	Catalog, Namespace, Name string
	// Location is the URL of the metadata that is current.
	Location string
	// Since is the oldest step whose files a snapshot of the table shows. Files that were replaced after it must stay. It
	// never goes back.
	Since int64
}
