package segment

import (
	"bytes"
	"strings"
)

// Names of the Kafka protocol binding of CloudEvents.
const (
	attrPrefix  = "ce_"
	contentType = "content-type"
	structured  = "application/cloudevents+json"
	specVersion = "1.0"
)

// attribute is a context attribute that has a column, or specversion.
type attribute uint8

const (
	attrNone attribute = iota
	attrVersion
	attrID
	attrSource
	attrType
	attrSubject
	attrTime
	attrRecordedTime
	attrDataSchema
	attrDataContentType
	attrTraceParent
	attrExtension // stands in ce_ext
	attributes    // how many there are
)

// attributeOf says what a header is. Names count in any case, as the events' own consumers have it.
func attributeOf(key string) (a attribute, name string) {
	if key == contentType {
		return attrDataContentType, ""
	}
	if !hasPrefixFold(key, attrPrefix) {
		if strings.EqualFold(key, contentType) {
			return attrDataContentType, ""
		}
		return attrNone, ""
	}
	name = strings.ToLower(key[len(attrPrefix):])
	return attributeNamed(name), name
}

func attributeNamed(name string) attribute {
	switch name {
	case "specversion":
		return attrVersion
	case "id":
		return attrID
	case "source":
		return attrSource
	case "type":
		return attrType
	case "subject":
		return attrSubject
	case "time":
		return attrTime
	case "recordedtime":
		return attrRecordedTime
	case "dataschema":
		return attrDataSchema
	case "traceparent":
		return attrTraceParent
	}
	if !isAttributeName(name) {
		return attrNone
	}
	return attrExtension
}

// isAttributeName reports whether name is one that CloudEvents allows: lower-case letters and digits.
func isAttributeName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && (s[:len(prefix)] == prefix || strings.EqualFold(s[:len(prefix)], prefix))
}

func isStructured(contentType []byte) bool {
	return len(contentType) >= len(structured) && strings.EqualFold(mediaType(contentType), structured)
}

// isJSON reports whether a content type is JSON. Data without a content type may be.
func isJSON(contentType []byte) bool {
	if len(contentType) == 0 || string(contentType) == "application/json" {
		return true
	}
	switch m := strings.ToLower(mediaType(contentType)); m {
	case "", "application/json", "text/json":
		return true
	default:
		return strings.HasSuffix(m, "+json")
	}
}

// mediaType is a content type without its parameters.
func mediaType(contentType []byte) string {
	base, _, _ := bytes.Cut(contentType, []byte(";"))
	return string(bytes.TrimSpace(base))
}
