package inference

import (
	"maps"
	"net/http"
	"slices"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// The health and metadata parts of the Open Inference Protocol, version 2. A model's version is a tag.

// defaultTag is the version of a model that a request does not name.
const defaultTag = "production"

// modelMetadata is what the protocol says of a model.
type modelMetadata struct {
	Name       registry.ModelName `json:"name"`
	Versions   []string           `json:"versions"`
	Platform   string             `json:"platform"`
	Inputs     []tensor           `json:"inputs"`
	Outputs    []tensor           `json:"outputs"`
	Parameters modelParameters    `json:"parameters"`
}

// modelParameters are ours: what the version stands for at the moment.
type modelParameters struct {
	Tag        string     `json:"tag"`
	Generation int64      `json:"generation"`
	Package    cas.Digest `json:"package"`
}

type tensor struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *Server) protocolServer(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.JSON(w, http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{"signalbox", "2", []string{}})
}

func (s *Server) protocolLive(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.JSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (s *Server) protocolReady(w http.ResponseWriter, _ *http.Request) error {
	return ready(w, s.Ready())
}

func (s *Server) protocolModelReady(w http.ResponseWriter, r *http.Request) error {
	route, exists, err := s.version(r)
	if !exists {
		return err
	}
	return ready(w, route != nil)
}

// ready answers with the status that probes look at.
func ready(w http.ResponseWriter, yes bool) error {
	status := http.StatusOK
	if !yes {
		status = http.StatusServiceUnavailable
	}
	return httpapi.JSON(w, status, map[string]bool{"ready": yes})
}

// version finds the route of the model and version in the path. Without one the error says why; exists is false where
// there is no such tag.
func (s *Server) version(r *http.Request) (found *route, exists bool, err error) {
	if r.PathValue("tag") == "" {
		r.SetPathValue("tag", defaultTag)
	}
	tag, err := tagOf(r)
	if err != nil {
		return nil, false, err
	}
	t := s.keeper.table.Load()
	if route := t.routes[tag]; route != nil {
		return route, true, nil
	}
	_, wanted := t.wanted[tag]
	return nil, wanted || !t.known, absent(t, tag)
}

func (s *Server) protocolModel(w http.ResponseWriter, r *http.Request) error {
	route, _, err := s.version(r)
	if err != nil {
		return err
	}
	p := route.arms[0].pkg
	var versions []string
	for tag := range maps.Keys(s.keeper.table.Load().routes) {
		if tag.Model == route.tag.Model {
			versions = append(versions, tag.Name)
		}
	}
	slices.Sort(versions)
	return httpapi.JSON(w, http.StatusOK, modelMetadata{
		Name: route.tag.Model, Versions: versions, Platform: p.sig.Format,
		Inputs: tensors(p.sig.Inputs), Outputs: tensors(p.sig.Outputs),
		Parameters: modelParameters{Tag: route.tag.Name, Generation: route.generation, Package: p.id},
	})
}

// tensors are the columns as the protocol has them: one tensor of any number of rows each.
func tensors(columns []manifest.Column) []tensor {
	out := make([]tensor, len(columns))
	for i, c := range columns {
		types := map[string]string{manifest.Number: "FP64", manifest.Integer: "INT64", manifest.Boolean: "BOOL", manifest.String: "BYTES"}
		out[i] = tensor{Name: c.Name, Datatype: types[c.Type], Shape: []int{-1, 1}}
	}
	return out
}
