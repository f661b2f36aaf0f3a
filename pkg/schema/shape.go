package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A shape is what a schema describes at one place of a document, whatever way
// it is written: the schema's own keywords, those of its $ref and allOf, and
// what the branches of anyOf, oneOf and if may add. Drift is measured
// against it.
type shape struct {
	shaper *shaper
	// certain apply to every value at this place, possible to some.
	certain, possible []*jsonschema.Schema
	described         []string          // names of properties that the schema has, sorted
	properties        map[string]*shape // by those names
	optional          []string          // those of certain that are not required, sorted
	required          map[string]bool
	open              bool // other properties are allowed, or nothing is described
	patterns          []jsonschema.Regexp
	formats           []*jsonschema.Format
	first             []*shape // of the first elements of an array, where they differ
	rest              *shape   // of all others
}

// A shaper makes the shapes of one schema.
type shaper struct {
	mu      sync.Mutex // a name that only a pattern describes has its shape made late
	shapes  map[string]*shape
	formats map[*jsonschema.Schema]*jsonschema.Format
	titles  map[string]string // by location; they say what a pattern means
}

// phone is the one format of the catalog that JSON Schema does not define.
var phone = jsonschema.Format{Name: "phone", Validate: validatePhone}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func validatePhone(v any) error {
	if s, ok := v.(string); ok && !e164.MatchString(s) {
		return jsonschema.LocalizableError("not a + and 7 to 15 digits")
	}
	return nil
}

// asserted is the format that fails a document (see [Compile]).
const asserted = "date-time"

// survey takes all formats but the asserted one out of the compiled schema, and
// remembers them and the titles.
func (s *shaper) survey(sch *jsonschema.Schema, seen map[*jsonschema.Schema]bool) {
	if sch == nil || seen[sch] {
		return
	}
	seen[sch] = true
	if sch.Title != "" {
		s.titles[sch.Location] = sch.Title
	}
	if sch.Format != nil && sch.Format.Name != asserted {
		s.formats[sch] = sch.Format
		sch.Format = nil
	}
	for _, child := range subschemas(sch) {
		s.survey(child, seen)
	}
}

// subschemas returns the schemas that sch is made of, in no particular order.
func subschemas(sch *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{
		sch.Ref, sch.RecursiveRef, sch.Not, sch.If, sch.Then, sch.Else, sch.PropertyNames, sch.UnevaluatedProperties,
		sch.Contains, sch.Items2020, sch.UnevaluatedItems, sch.ContentSchema,
	}
	if sch.DynamicRef != nil {
		all = append(all, sch.DynamicRef.Ref)
	}
	all = slices.Concat(all, sch.AllOf, sch.AnyOf, sch.OneOf, sch.PrefixItems)
	all = slices.AppendSeq(all, maps.Values(sch.Properties))
	all = slices.AppendSeq(all, maps.Values(sch.PatternProperties))
	all = slices.AppendSeq(all, maps.Values(sch.DependentSchemas))
	for _, v := range []any{sch.AdditionalProperties, sch.Items, sch.AdditionalItems} {
		switch v := v.(type) {
		case *jsonschema.Schema:
			all = append(all, v)
		case []*jsonschema.Schema:
			all = append(all, v...)
		}
	}
	for _, v := range sch.Dependencies {
		if child, ok := v.(*jsonschema.Schema); ok {
			all = append(all, child)
		}
	}
	return slices.DeleteFunc(all, func(sch *jsonschema.Schema) bool { return sch == nil })
}

// flatten adds sch and what applies wherever it does to certain, and what may
// apply to possible.
func flatten(sch *jsonschema.Schema, certain, possible *[]*jsonschema.Schema) { //nolint:unparam // it is used, by the calls in it
	if sch == nil || slices.Contains(*certain, sch) {
		return
	}
	*certain = append(*certain, sch)
	flatten(sch.Ref, certain, possible)
	for _, s := range sch.AllOf {
		flatten(s, certain, possible)
	}
	flatten(sch.RecursiveRef, possible, possible)
	if sch.DynamicRef != nil {
		flatten(sch.DynamicRef.Ref, possible, possible)
	}
	for _, list := range [][]*jsonschema.Schema{sch.AnyOf, sch.OneOf, {sch.If, sch.Then, sch.Else}, slices.Collect(maps.Values(sch.DependentSchemas))} {
		for _, s := range list {
			flatten(s, possible, possible)
		}
	}
	for _, v := range sch.Dependencies {
		if s, ok := v.(*jsonschema.Schema); ok {
			flatten(s, possible, possible)
		}
	}
}

// shape returns the shape of a place that the given schemas apply to.
func (s *shaper) shape(certain, possible []*jsonschema.Schema) *shape {
	sh := &shape{shaper: s, properties: map[string]*shape{}, required: map[string]bool{}}
	for _, sch := range certain {
		flatten(sch, &sh.certain, &sh.possible)
	}
	for _, sch := range possible {
		flatten(sch, &sh.possible, &sh.possible)
	}
	if len(sh.certain)+len(sh.possible) == 0 {
		return nil
	}
	var key strings.Builder
	fmt.Fprint(&key, len(sh.certain))
	for _, sch := range slices.Concat(sh.certain, sh.possible) {
		fmt.Fprintf(&key, " %p", sch)
	}
	if known := s.shapes[key.String()]; known != nil {
		return known
	}
	s.shapes[key.String()] = sh

	described, optional := map[string]bool{}, map[string]bool{}
	for i, sch := range slices.Concat(sh.certain, sh.possible) {
		isCertain := i < len(sh.certain)
		for name, property := range sch.Properties {
			described[name] = true
			if isCertain && !property.Deprecated && (property.Bool == nil || *property.Bool) {
				optional[name] = true
			}
		}
		for re := range sch.PatternProperties {
			sh.patterns = append(sh.patterns, re)
		}
		if sch.AdditionalProperties != nil || sch.UnevaluatedProperties != nil {
			sh.open = true
		}
		if f := s.formats[sch]; f != nil && isCertain {
			sh.formats = append(sh.formats, f)
		}
	}
	for _, sch := range sh.certain {
		for _, name := range sch.Required {
			delete(optional, name)
			sh.required[name] = true
		}
	}
	sh.described = slices.Sorted(maps.Keys(described))
	sh.optional = slices.Sorted(maps.Keys(optional))
	if len(sh.described)+len(sh.patterns) == 0 {
		sh.open = true
	}
	for _, name := range sh.described {
		sh.properties[name] = sh.property(name)
	}
	n := 0
	for _, sch := range slices.Concat(sh.certain, sh.possible) {
		list, _ := sch.Items.([]*jsonschema.Schema)
		n = max(n, len(sch.PrefixItems), len(list))
	}
	for i := range n {
		sh.first = append(sh.first, sh.item(i))
	}
	sh.rest = sh.item(n)
	return sh
}

// property makes the shape of the member of that name.
func (sh *shape) property(name string) *shape {
	pick := func(from []*jsonschema.Schema) (picked []*jsonschema.Schema) {
		for _, sch := range from {
			direct := false
			if p := sch.Properties[name]; p != nil {
				picked, direct = append(picked, p), true
			}
			for re, p := range sch.PatternProperties {
				if re.MatchString(name) {
					picked, direct = append(picked, p), true
				}
			}
			if p, ok := sch.AdditionalProperties.(*jsonschema.Schema); ok && !direct {
				picked = append(picked, p)
			}
		}
		return picked
	}
	return sh.shaper.shape(pick(sh.certain), pick(sh.possible))
}

// item makes the shape of the i-th element.
func (sh *shape) item(i int) *shape {
	pick := func(from []*jsonschema.Schema) (picked []*jsonschema.Schema) {
		for _, sch := range from {
			list, rest := sch.PrefixItems, sch.Items2020
			switch items := sch.Items.(type) { // before 2020-12
			case *jsonschema.Schema:
				rest = items
			case []*jsonschema.Schema:
				list = items
				rest, _ = sch.AdditionalItems.(*jsonschema.Schema)
			}
			switch {
			case i < len(list):
				picked = append(picked, list[i])
			case rest != nil:
				picked = append(picked, rest)
			}
		}
		return picked
	}
	return sh.shaper.shape(pick(sh.certain), pick(sh.possible))
}

// drift appends a warning for everything in the value that the schema allows
// but does not describe.
func (sh *shape) drift(d *Document, n *node, value any, path []string, problems []Problem) []Problem {
	if sh == nil || len(problems) >= maxProblems {
		return problems
	}
	for _, f := range sh.formats {
		if err := f.Validate(value); err != nil {
			p := d.problem(n, pointerOf(path), "format")
			p.Severity = Warning
			p.Got, p.Want = d.describe(n), article(f.Name)
			p.Message = "got " + p.Got + ", want " + p.Want + ":" + reason(err)
			problems = append(problems, p)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		return sh.driftObject(d, n, v, path, problems)
	case []any:
		for i, child := range n.children {
			item := sh.rest
			if i < len(sh.first) {
				item = sh.first[i]
			}
			problems = item.drift(d, child, v[i], append(path, strconv.Itoa(i)), problems)
		}
	}
	return problems
}

func (sh *shape) driftObject(d *Document, n *node, obj map[string]any, path []string, problems []Problem) []Problem {
	for _, name := range sh.optional {
		if _, ok := obj[name]; ok {
			continue
		}
		p := d.problem(n, pointerOf(path), KeywordAbsent)
		p.Severity, p.Length, p.Property = Warning, 1, name
		p.Message = "the documented property " + quote(name) + " is absent"
		problems = append(problems, p)
	}
	for _, child := range n.children {
		if child.hidden {
			continue
		}
		childPath := append(path, child.key) //nolint:gocritic // nobody keeps the path of the last child
		property, ok := sh.properties[child.key]
		switch {
		case ok:
		case sh.open || sh.matches(child.key):
			sh.shaper.mu.Lock()
			property = sh.property(child.key)
			sh.shaper.mu.Unlock()
		default:
			p := d.keyProblem(child, pointerOf(childPath), KeywordUndocumented)
			p.Severity = Warning
			p.Message = "property " + quote(child.key) + " is not documented"
			if near := Nearest(child.key, sh.described, 1); len(near) > 0 {
				p.Message += "; did you mean " + quote(near[0]) + "?"
			}
			if problems = append(problems, p); len(problems) >= maxProblems {
				return problems
			}
		}
		problems = property.drift(d, child, obj[child.key], childPath, problems)
	}
	return problems
}

func (sh *shape) matches(name string) bool {
	return slices.ContainsFunc(sh.patterns, func(re jsonschema.Regexp) bool { return re.MatchString(name) })
}

// article names a format in a sentence.
func article(format string) string {
	switch format {
	case "date-time":
		return "a date and time (RFC 3339)"
	case "phone":
		return "a phone number"
	case "email":
		return "an email address"
	case "uri", "iri":
		return "a URL"
	}
	if strings.ContainsRune("aeiou", rune((format + " ")[0])) {
		return "an " + format
	}
	return "a " + format
}
