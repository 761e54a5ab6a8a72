package segment

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// envelope is a CloudEvent in its JSON format, by member. It is only read: the record's value is kept verbatim.
type envelope map[string]json.RawMessage

// parseEnvelope reads value if it is a CloudEvent 1.0 with every required attribute. A batch is none: the Kafka binding
// has no batches.
func parseEnvelope(value []byte) (envelope, bool) {
	var env envelope
	if !utf8.Valid(value) || json.Unmarshal(value, &env) != nil {
		return nil, false
	}
	ok := env.text("specversion") == specVersion && env.text("id") != "" && env.text("source") != "" && env.text("type") != ""
	return env, ok
}

// text returns an attribute in its string form: a string, a boolean or an integer. Anything else is no attribute.
func (env envelope) text(name string) string {
	raw := env[name]
	if len(raw) == 0 {
		return ""
	}
	if raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	if s := string(raw); s == "true" || s == "false" {
		return s
	}
	if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return string(raw)
	}
	return ""
}

// structured fills c from an envelope.
func (u *unpacker) structured(env envelope, c *columns) {
	for name := range env {
		switch name {
		case "data", "data_base64":
			continue
		case "datacontenttype":
			c.DataContentType = text([]byte(env.text(name)))
			continue
		}
		if s := env.text(name); s != "" {
			u.set(c, attributeNamed(name), name, []byte(s), -1)
		}
	}
	u.extensions(c)
	if data, ok := env.data(c.DataContentType); ok {
		u.payload(c, c.DataContentType, data)
	}
}

// data returns the bytes that the event carries: the member's own JSON text, or what it encodes.
func (env envelope) data(contentType []byte) ([]byte, bool) {
	if raw, ok := env["data"]; ok && string(raw) != "null" {
		if !isJSON(contentType) && strings.HasPrefix(string(raw[:1]), `"`) {
			return []byte(env.text("data")), true
		}
		return raw, true
	}
	if _, ok := env["data_base64"]; ok {
		b, err := base64.StdEncoding.DecodeString(env.text("data_base64"))
		return b, err == nil
	}
	return nil, false
}
