package manifest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads JSON into the struct that v points to. Unlike encoding/json it refuses unknown members, duplicate
// members, members whose name differs in case, null, trailing bytes and more than limit bytes. It reports every fault
// that it finds as a *Fault with the member's path, joined; all are ErrInvalid.
func Decode(b []byte, limit int, v any) error {
	if len(b) > limit {
		return &Fault{Problem: fmt.Sprintf("%d bytes: at most %d are read", len(b), limit)}
	}
	if _, err := Canonical(b); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return &Fault{Problem: "no JSON: " + err.Error()}
	}
	var fs FaultList
	shape(&fs, tree, reflect.TypeOf(v).Elem(), "")
	if err := fs.Join(); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Fault{Problem: err.Error()}
	}
	return nil
}

// shape checks a decoded value against the type that it is meant for.
func shape(fs *FaultList, v any, t reflect.Type, path string) {
	if t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface {
		return // the reader of that member judges it
	}
	if u, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
		if s, ok := v.(string); !ok {
			fs.Add(path, "want a string, got %s", kindOf(v))
		} else if err := u.UnmarshalText([]byte(s)); err != nil {
			fs.Add(path, "%v", err)
		}
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		shape(fs, v, t.Elem(), path)
	case reflect.Struct:
		shapeStruct(fs, v, t, path)
	case reflect.Map:
		m, ok := v.(map[string]any)
		fs.Check(ok, path, "want an object, got %s", kindOf(v))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			shape(fs, m[k], t.Elem(), path+"/"+Escape(k))
		}
	case reflect.Slice:
		a, ok := v.([]any)
		fs.Check(ok, path, "want an array, got %s", kindOf(v))
		for i, x := range a {
			shape(fs, x, t.Elem(), path+"/"+strconv.Itoa(i))
		}
	default:
		shapeScalar(fs, v, t, path)
	}
}

func shapeStruct(fs *FaultList, v any, t reflect.Type, path string) {
	m, ok := v.(map[string]any)
	if !ok {
		fs.Add(path, "want an object, got %s", kindOf(v))
		return
	}
	known := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			known[name] = f.Type
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if ft, ok := known[k]; ok {
			shape(fs, m[k], ft, path+"/"+Escape(k))
		} else {
			fs.Add(path+"/"+Escape(k), "unknown member: want one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
}

// shapeScalar leaves it to encoding/json whether a number or a string fits.
func shapeScalar(fs *FaultList, v any, t reflect.Type, path string) {
	raw, err := json.Marshal(v)
	if err == nil && v != nil {
		err = json.Unmarshal(raw, reflect.New(t).Interface())
	}
	var te *json.UnmarshalTypeError
	switch {
	case v == nil || errors.As(err, &te):
		fs.Add(path, "want %s, got %s", wordOf(t.Kind()), kindOf(v))
	case err != nil:
		fs.Add(path, "%v", err)
	}
}

func wordOf(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64, reflect.Float32:
		return "a number"
	}
	return "an integer"
}

func kindOf(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "the number " + fmt.Sprintf("%.40s", x)
	case []any:
		return "an array"
	}
	return "an object"
}

// Escape writes a member's name as a token of a JSON pointer.
func Escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
