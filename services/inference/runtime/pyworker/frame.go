package pyworker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// Kinds of frames. services/trainer/PROTOCOL.md describes them.
const (
	kindLoad    = 1
	kindLoaded  = 2
	kindPredict = 3
	kindResult  = 4
	kindClose   = 5
	kindError   = 9
)

const (
	headerLen  = 4 + 8 + 1
	maxPayload = 256 << 20
)

// errProtocol reports a worker that does not speak the protocol: it cannot be used any more.
var errProtocol = errors.New("worker broke the protocol")

// ModelError is what the package's own code said about a call.
type ModelError struct{ Message string }

// Error returns the message.
func (e *ModelError) Error() string { return "model failed: " + e.Message }

// Unwrap makes it a runtime.ErrModel.
func (e *ModelError) Unwrap() error { return runtime.ErrModel }

// beginFrame appends a header to buf; endFrame fills in the length.
func beginFrame(buf []byte, id uint64, kind byte) []byte {
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.LittleEndian.AppendUint64(buf, id)
	return append(buf, kind)
}

func endFrame(frame []byte) error {
	n := len(frame) - headerLen
	if n > maxPayload {
		return fmt.Errorf("%d bytes in one call: %w", n, runtime.ErrWidth)
	}
	binary.LittleEndian.PutUint32(frame, uint32(n))
	return nil
}

// appendFloats appends values, little-endian.
func appendFloats(buf []byte, values []float64) []byte {
	for _, v := range values {
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
	}
	return buf
}

// appendPredict appends the payload of a predict frame for calls of one width.
func appendPredict(buf []byte, calls []*call, width int) ([]byte, error) {
	rows, text := 0, false
	for _, c := range calls {
		rows += c.rows
		text = text || len(c.text) > 0
	}
	buf = binary.LittleEndian.AppendUint32(buf, uint32(rows))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(width))
	for _, c := range calls {
		buf = append(buf, c.values...)
	}
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	if text {
		all := make([]string, 0, rows*width)
		for _, c := range calls {
			all = append(all, c.text...)
		}
		b, err := json.Marshal(all)
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		buf = append(buf, b...)
	}
	binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	return buf, nil
}

// readFrame reads the answer to request id into buf, which it may grow, and returns its kind and payload.
func readFrame(r io.Reader, id uint64, buf []byte) (kind byte, payload []byte, err error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, buf, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxPayload {
		return 0, buf, fmt.Errorf("frame of %d bytes: %w", n, errProtocol)
	}
	if got := binary.LittleEndian.Uint64(head[4:]); got != id {
		return 0, buf, fmt.Errorf("answer to request %d, asked %d: %w", got, id, errProtocol)
	}
	// Memory is taken as bytes arrive, not for what the length claims.
	buf = buf[:0]
	for len(buf) < int(n) {
		step := min(int(n)-len(buf), 1<<20)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, buf[len(buf)-step:]); err != nil {
			return 0, buf, err
		}
	}
	return head[12], buf, nil
}

// decodeResult reads the payload of a result frame of exactly rows rows of width numbers.
func decodeResult(payload []byte, rows, width int) ([]float64, error) {
	if len(payload) != 8+rows*width*8 ||
		binary.LittleEndian.Uint32(payload) != uint32(rows) || rows > 0 && binary.LittleEndian.Uint32(payload[4:]) != uint32(width) {
		return nil, fmt.Errorf("result of %d bytes, want %d x %d numbers: %w", len(payload), rows, width, errProtocol)
	}
	out := make([]float64, rows*width)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(payload[8+8*i:]))
	}
	return out, nil
}

// decodeError reads the payload of an error frame.
func decodeError(payload []byte) error {
	var e struct{ Message string }
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("error frame: %w", errProtocol)
	}
	return &ModelError{Message: e.Message}
}
