package events

import (
	"errors"
	"regexp"
	"testing"
)

// TestTopicPatterns: dead letters are archived like anything else, whatever they are about, and are no stream's events.
func TestTopicPatterns(t *testing.T) {
	archived, stream, dead := regexp.MustCompile(ArchivedTopics), regexp.MustCompile(StreamTopics), regexp.MustCompile(DeadLetterTopics)
	names := []string{StreamTopic("flights")}
	for _, s := range LifecycleTopics() {
		names = append(names, s.Name)
	}
	for i, name := range names {
		letters := DeadLetterTopic(name)
		if !archived.MatchString(name) || !archived.MatchString(letters) {
			t.Errorf("%s or %s is not archived", name, letters)
		}
		if dead.MatchString(name) || !dead.MatchString(letters) || stream.MatchString(name) != (i == 0) {
			t.Errorf("%s is taken for something else", name)
		}
	}
}

func TestMisfit(t *testing.T) {
	base := errors.New("a number is wanted")
	err := Misfit("schema_violation", "sha256.X", base)
	if PermanentReason(err) != "schema_violation" || MisfitSchema(err) != "sha256.X" || !errors.Is(err, base) || err.Error() != "schema_violation: a number is wanted" {
		t.Errorf("%v: %q, %q", err, PermanentReason(err), MisfitSchema(err))
	}
	if Misfit("r", "s", nil) != nil || MisfitSchema(Permanent("r", base)) != "" {
		t.Error("an error that is no misfit")
	}
}
