package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The two endings of a pair. A sample ends in sampleExt and not in schemaExt.
const (
	sampleExt = ".json"
	schemaExt = ".schema.json"
)

// reserved are the subfolders that hold something other than event types.
var reserved = []string{scenarioFolder}

// A LoadError is a fault in a folder of event types.
type LoadError struct {
	File string // where the fault is
	Line int    // counted from 1; 0 when it is the file as a whole
	Err  error
}

func (e *LoadError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

func (e *LoadError) Unwrap() error { return e.Err }

// LoadCatalog reads the event types of the given folders. Each type is a pair
// of files, NAME.json (the sample) and NAME.schema.json, in the root of the
// file system or in a subfolder, which makes it a family of its own. A type
// replaces one of the same name from a folder before.
//
// An error is a *[LoadError]: a folder without a type, half of a pair, a file
// that is not JSON, a name that differs from the const in the schema, or two
// types that claim the same payloads. Whether a schema compiles and a sample
// satisfies it is asked of validate.CheckCatalog. Where a file system has a
// String method, its result stands before the file names in errors.
func LoadCatalog(folders ...fs.FS) (*Catalog, error) {
	c := &Catalog{byName: map[string]*Type{}, byKey: map[key]*Type{}}
	for _, fsys := range folders {
		types, err := loadFolder(fsys)
		if err != nil {
			return nil, err
		}
		for _, t := range types {
			c.byName[t.Name] = t
		}
	}
	for _, t := range c.byName {
		c.types = append(c.types, t)
	}
	slices.SortFunc(c.types, func(a, b *Type) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range c.types {
		k := key{t.Property, t.Value}
		if other, ok := c.byKey[k]; ok {
			return nil, &LoadError{File: t.SchemaFile, Err: fmt.Errorf("claims the payloads whose %q is %q, as does %s", t.Property, t.Value, other.SchemaFile)}
		}
		c.byKey[k] = t
	}
	return c, nil
}

func loadFolder(fsys fs.FS) ([]*Type, error) {
	label := func(file string) string {
		if s, ok := fsys.(fmt.Stringer); ok {
			return path.Join(s.String(), file)
		}
		return file
	}
	types, err := loadFamily(fsys, "", label)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, &LoadError{File: label("."), Err: unwrapPath(err)}
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") || slices.Contains(reserved, e.Name()) {
			continue
		}
		// A subfolder is a family only if there is a schema in it.
		schemas, globErr := fs.Glob(fsys, e.Name()+"/*"+schemaExt)
		if globErr != nil || len(schemas) == 0 {
			continue
		}
		family, familyErr := loadFamily(fsys, e.Name(), label)
		if familyErr != nil {
			return nil, familyErr
		}
		types = append(types, family...)
	}
	scenarios, err := fs.Glob(fsys, scenarioFolder+"/*.json")
	if len(types) == 0 && (err != nil || len(scenarios) == 0) {
		return nil, &LoadError{File: label("."), Err: fmt.Errorf("no event types in this folder (want pairs NAME%s and NAME%s)", sampleExt, schemaExt)}
	}
	return types, nil
}

func loadFamily(fsys fs.FS, family string, label func(string) string) ([]*Type, error) {
	dir := path.Join(".", family)
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, &LoadError{File: label(dir), Err: unwrapPath(err)}
	}
	halves := map[string]int{}
	for _, e := range entries {
		name := e.Name()
		if base, ok := strings.CutSuffix(name, schemaExt); ok {
			halves[base] |= 1
		} else if base, ok := strings.CutSuffix(name, sampleExt); ok {
			halves[base] |= 2
		}
	}
	var types []*Type
	for _, e := range entries {
		name := e.Name()
		base, isSchema := strings.CutSuffix(name, schemaExt)
		if !isSchema {
			if sample, ok := strings.CutSuffix(name, sampleExt); ok && halves[sample] == 2 {
				return nil, &LoadError{File: label(path.Join(family, name)), Err: fmt.Errorf("a sample without a schema (want %s beside it)", sample+schemaExt)}
			}
			continue
		}
		file := path.Join(family, name)
		if halves[base] == 1 {
			return nil, &LoadError{File: label(file), Err: fmt.Errorf("a schema without a sample (want %s beside it)", base+sampleExt)}
		}
		t := &Type{
			Name:       path.Join(family, base),
			Family:     family,
			SampleFile: label(path.Join(family, base+sampleExt)),
			SchemaFile: label(file),
		}
		if t.Schema, err = fs.ReadFile(fsys, file); err != nil {
			return nil, &LoadError{File: t.SchemaFile, Err: unwrapPath(err)}
		}
		if t.Sample, err = fs.ReadFile(fsys, path.Join(family, base+sampleExt)); err != nil {
			return nil, &LoadError{File: t.SampleFile, Err: unwrapPath(err)}
		}
		if err := t.identify(base); err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return types, nil
}

// unwrapPath drops the file name that [LoadError] gives already.
func unwrapPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// identify finds out from the schema which payloads are of the type: those
// with the const that the schema gives to a top-level property.
func (t *Type) identify(base string) error {
	var s struct {
		Description string              `json:"description"`
		Properties  map[string]property `json:"properties"`
	}
	if err := json.Unmarshal(t.Schema, &s); err != nil {
		return &LoadError{File: t.SchemaFile, Line: errorLine(t.Schema, err), Err: err}
	}
	if err := json.Unmarshal(t.Sample, new(json.RawMessage)); err != nil {
		return &LoadError{File: t.SampleFile, Line: errorLine(t.Sample, err), Err: err}
	}
	t.Description = s.Description
	other := ""
	for name, p := range s.Properties {
		value := string(p)
		switch {
		case value == "":
		case value == base:
			t.Property, t.Value = name, value
			return nil
		case other == "" || name < other:
			other = name
		}
	}
	if other == "" {
		return &LoadError{File: t.SchemaFile, Err: fmt.Errorf("no top-level property has a const that is a string (want one with %q)", base)}
	}
	value := string(s.Properties[other])
	return &LoadError{
		File: t.SchemaFile,
		Line: constLine(t.Schema, value),
		Err:  fmt.Errorf("the const of property %q is %q, but the file is named for %q", other, value, base),
	}
}

// A property is the const that a schema gives to a property, when it is a
// string that is not empty.
type property string

// UnmarshalJSON reads the schema of the property, which may be a boolean.
func (p *property) UnmarshalJSON(text []byte) error {
	var s struct {
		Const any `json:"const"`
	}
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
	}
	value, _ := s.Const.(string)
	*p = property(value)
	return nil
}

// constLine returns the line of the first "const" whose value is the string
// value, or 0.
func constLine(doc []byte, value string) int {
	dec := json.NewDecoder(bytes.NewReader(doc))
	key := false
	for {
		tok, err := dec.Token()
		if err != nil {
			return 0
		}
		if key && tok == value {
			return lineAt(doc, dec.InputOffset())
		}
		key = tok == "const"
	}
}

func errorLine(doc []byte, err error) int {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return lineAt(doc, syntax.Offset)
	}
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return lineAt(doc, mistyped.Offset)
	}
	return 0
}

func lineAt(doc []byte, offset int64) int {
	return 1 + bytes.Count(doc[:min(int(offset), len(doc))], []byte("\n"))
}
