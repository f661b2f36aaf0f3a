package schema

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Field is one property that a schema describes.
type Field struct {
	// Path leads to the property from the root: the name of each property on
	// the way.
	Path []string

	// Types are the types that the value may have, as JSON Schema names them,
	// null left out.
	Types []string

	// Required says that the object which the property belongs to must have
	// it; Nullable that its value may be null.
	Required, Nullable bool

	// Format is the name of the format of a string, or empty.
	Format string

	// Description is the description in the schema.
	Description string
}

// Pointer returns the JSON Pointer of the field.
func (f Field) Pointer() string { return pointerOf(f.Path) }

// maxFieldDepth bounds the fields of a schema that refers to itself.
const maxFieldDepth = 8

// Fields returns the properties that the schema describes for every document,
// parents before children, and siblings by name.
func (s *Schema) Fields() []Field { return s.shape.fields(nil, nil) }

func (sh *shape) fields(path []string, fields []Field) []Field {
	if len(path) >= maxFieldDepth {
		return fields
	}
	for _, name := range sh.described {
		child := sh.properties[name]
		if child == nil {
			continue
		}
		f := child.field()
		f.Path = append(slices.Clone(path), name)
		f.Required = sh.required[name]
		fields = child.fields(f.Path, append(fields, f))
	}
	return fields
}

// field says what the shape is; path and required are known to its parent.
func (sh *shape) field() Field {
	var f Field
	types := map[string]int{}
	told := 0
	for _, sch := range sh.certain {
		names := typesOf(sch)
		if names != nil {
			told++
		}
		for _, name := range names {
			types[name]++
		}
		if f.Description == "" {
			f.Description = sch.Description
		}
		if sch.Format != nil {
			f.Format = sch.Format.Name
		}
	}
	for _, format := range sh.formats {
		f.Format = format.Name
	}
	for name, n := range types {
		switch {
		case n < told: // another schema rules it out
		case name == "null":
			f.Nullable = true
		default:
			f.Types = append(f.Types, name)
		}
	}
	slices.SortFunc(f.Types, strings.Compare)
	if sh.rest != nil && slices.Equal(f.Types, []string{"array"}) {
		if item := sh.rest.field(); len(item.Types) > 0 {
			f.Types = []string{"array of " + strings.Join(item.Types, " or ")}
		}
	}
	return f
}

// typesOf returns the types that the schema's own keywords leave, or nil.
func typesOf(sch *jsonschema.Schema) []string {
	switch {
	case sch.Types != nil:
		return sch.Types.ToStrings()
	case sch.Const != nil:
		return []string{typeOfValue(*sch.Const)}
	case sch.Enum != nil:
		var names []string
		for _, v := range sch.Enum.Values {
			if name := typeOfValue(v); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return names
	}
	return nil
}

func typeOfValue(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number"
}
