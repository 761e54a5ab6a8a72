package spec

import (
	"regexp"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Workflow is the code that trains: Python files and the class among them.
type Workflow struct {
	// Entrypoint is "<module>:<class>" in Files.
	Entrypoint string `json:"entrypoint"`
	// Files are the sources by name. The server takes Content only; the CLI fills it from File, a path beside the YAML.
	Files map[string]WorkflowFile `json:"files"`
}

// WorkflowFile is one source file.
type WorkflowFile struct {
	File    string `json:"file,omitempty"`
	Content string `json:"content,omitempty"`
}

const (
	maxWorkflow      = 1 << 20 // bytes of all files
	maxWorkflowFiles = 100
)

var (
	entrypoint = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*:[A-Za-z_][A-Za-z0-9_]*$`)
	sourceFile = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\.py$`)
)

// Class returns the class of the entrypoint.
func (w Workflow) Class() string {
	_, class, _ := strings.Cut(w.Entrypoint, ":")
	return class
}

// Validate lists everything that is wrong with w, as a server sees it: with the content of every file.
func (w Workflow) Validate() error { return w.validate(true) }

func (w Workflow) validate(complete bool) error {
	var fs manifest.FaultList
	if entrypoint.MatchString(w.Entrypoint) {
		module, _, _ := strings.Cut(w.Entrypoint, ":")
		_, ok := w.Files[module+".py"]
		fs.Check(ok, "/entrypoint", "there is no file %s.py", module)
	} else {
		fs.Add("/entrypoint", "%.100q: want <module>:<class>, such as delay:FlightDelay", w.Entrypoint)
	}
	fs.Check(len(w.Files) > 0 && len(w.Files) <= maxWorkflowFiles, "/files", "want 1 to %d files", maxWorkflowFiles)
	total := 0
	for _, file := range sorted(w.Files) {
		f, path := w.Files[file], at("/files", file)
		total += len(f.Content)
		fs.Check(len(file) <= 128 && sourceFile.MatchString(file), path, "want the plain name of a Python file, such as delay.py")
		switch {
		case complete:
			fs.Check(f.File == "", path+"/file", "a server reads no files: send the content")
			fs.Check(f.Content != "", path+"/content", "is missing")
		default:
			fs.Check((f.File == "") != (f.Content == ""), path, "want either file or content")
		}
	}
	fs.Check(total <= maxWorkflow, "/files", "%d bytes in all: at most %d are allowed", total, maxWorkflow)
	return fs.Join()
}
