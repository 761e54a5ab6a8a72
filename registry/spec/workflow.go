package spec

import (
	"regexp"
	"strings"
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
	var fs faults
	if entrypoint.MatchString(w.Entrypoint) {
		module, _, _ := strings.Cut(w.Entrypoint, ":")
		_, ok := w.Files[module+".py"]
		fs.ok(ok, "/entrypoint", "there is no file %s.py", module)
	} else {
		fs.add("/entrypoint", "%.100q: want <module>:<class>, such as delay:FlightDelay", w.Entrypoint)
	}
	fs.ok(len(w.Files) > 0 && len(w.Files) <= maxWorkflowFiles, "/files", "want 1 to %d files", maxWorkflowFiles)
	total := 0
	for _, file := range sorted(w.Files) {
		f, path := w.Files[file], at("/files", file)
		total += len(f.Content)
		fs.ok(len(file) <= 128 && sourceFile.MatchString(file), path, "want the plain name of a Python file, such as delay.py")
		switch {
		case complete:
			fs.ok(f.File == "", path+"/file", "a server reads no files: send the content")
			fs.ok(f.Content != "", path+"/content", "is missing")
		default:
			fs.ok((f.File == "") != (f.Content == ""), path, "want either file or content")
		}
	}
	fs.ok(total <= maxWorkflow, "/files", "%d bytes in all: at most %d are allowed", total, maxWorkflow)
	return fs.join()
}
