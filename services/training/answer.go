package training

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// answer answers with a run whose request has the very bytes that came. encoding/json would write it without its white
// space and with other escapes.
func answer(w http.ResponseWriter, status int, run registry.Run) error {
	request, mark := run.Request, []byte(`"`+uuid.NewString()+`"`)
	if len(request) > 0 {
		run.Request = mark
	}
	b, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode run: %w", err)
	}
	return httpapi.Bytes(w, status, "application/json", append(bytes.Replace(b, mark, request, 1), '\n'))
}
