package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// explain returns the problems of one leaf: one, or one for each property
// where the leaf lists several.
func (d *Document) explain(err *jsonschema.ValidationError) []Problem {
	path := err.InstanceLocation
	n := d.find(path)
	pointer := pointerOf(path)
	keyword := ""
	if kw := err.ErrorKind.KeywordPath(); len(kw) > 0 {
		keyword = kw[0]
	}
	p := d.problem(n, pointer, keyword)
	mismatch := func(got, want string) []Problem {
		p.Got, p.Want = got, want
		p.Message = "got " + got + ", want " + want
		return []Problem{p}
	}
	switch k := err.ErrorKind.(type) {
	case *kind.Type:
		want := slices.Clone(k.Want)
		// An integer is a number, and null is what a field may be besides.
		slices.SortStableFunc(want, func(a, b string) int { return strings.Compare(last(a), last(b)) })
		return mismatch(d.describe(n), Alternatives(want))
	case *kind.Const:
		return mismatch(d.describe(n), display(k.Want))
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, v := range k.Want {
			want[i] = display(v)
		}
		return mismatch(d.describe(n), Alternatives(want))
	case *kind.Required:
		return missing(k.Missing, "missing property %s", p)
	case *kind.DependentRequired:
		return missing(k.Missing, "missing property %s, which "+escape(k.Prop)+" requires", p)
	case *kind.Dependency:
		return missing(k.Missing, "missing property %s, which "+escape(k.Prop)+" requires", p)
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		problems := make([]Problem, 0, len(k.Properties))
		for _, name := range k.Properties {
			child := n.child(name)
			if child == nil {
				continue
			}
			q := d.keyProblem(child, appendToken(pointer, name), keyword)
			q.Message = "property " + quote(name) + " is not allowed"
			problems = append(problems, q)
		}
		return problems
	case *kind.PropertyNames:
		if child := n.child(k.Property); child != nil {
			p = d.keyProblem(child, appendToken(pointer, k.Property), "propertyNames")
		}
		p.Message = "the name " + quote(k.Property) + " is not allowed"
		return []Problem{p}
	case *kind.Pattern:
		if title := d.titles[err.SchemaURL]; title != "" {
			return mismatch(d.describe(n), title)
		}
		return mismatch(d.describe(n), "a match of the pattern "+k.Want)
	case *kind.Format:
		return mismatch(d.describe(n), article(k.Want)+":"+reason(k.Err))
	case *kind.MinLength:
		if k.Want == 1 {
			return mismatch("an empty string", "a string that is not empty")
		}
		return mismatch("a string of "+count(k.Got, "character"), "at least "+strconv.Itoa(k.Want))
	case *kind.MaxLength:
		return mismatch("a string of "+count(k.Got, "character"), "at most "+strconv.Itoa(k.Want))
	case *kind.MinItems:
		return mismatch("an array of "+count(k.Got, "item"), "at least "+strconv.Itoa(k.Want))
	case *kind.MaxItems:
		return mismatch("an array of "+count(k.Got, "item"), "at most "+strconv.Itoa(k.Want))
	case *kind.MinProperties:
		return mismatch("an object of "+count(k.Got, "member"), "at least "+strconv.Itoa(k.Want))
	case *kind.MaxProperties:
		return mismatch("an object of "+count(k.Got, "member"), "at most "+strconv.Itoa(k.Want))
	case *kind.Minimum:
		return mismatch(d.describe(n), "at least "+rat(k.Want))
	case *kind.Maximum:
		return mismatch(d.describe(n), "at most "+rat(k.Want))
	case *kind.ExclusiveMinimum:
		return mismatch(d.describe(n), "more than "+rat(k.Want))
	case *kind.ExclusiveMaximum:
		return mismatch(d.describe(n), "less than "+rat(k.Want))
	case *kind.MultipleOf:
		return mismatch(d.describe(n), "a multiple of "+rat(k.Want))
	case *kind.Not:
		p.Keyword = "not"
		p.Message = "got " + d.describe(n) + ", which the schema rules out"
		return []Problem{p}
	case *kind.OneOf:
		p.Message = "more than one alternative of oneOf holds, want exactly one"
		return []Problem{p}
	case *kind.Contains:
		p.Message = "no element is of the kind that the array must contain"
		return []Problem{p}
	case *kind.FalseSchema:
		p.Keyword = "false"
		p.Message = "nothing is allowed here"
		return []Problem{p}
	}
	p.Message = err.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	return []Problem{p}
}

// missing returns a problem like p for each name that the object lacks.
func missing(names []string, format string, p Problem) []Problem {
	problems := make([]Problem, len(names))
	for i, name := range names {
		problems[i] = p
		problems[i].Length = 1
		problems[i].Property = name
		problems[i].Message = fmt.Sprintf(format, quote(name))
	}
	return problems
}

// reason returns the last part of what a format has to say.
func reason(err error) string {
	text := err.Error()
	if strings.Contains(text, "regexp") {
		return " " + text
	}
	return " " + strings.TrimSpace(text[strings.LastIndex(text, ": ")+1:])
}

// escape quotes a name for use in a format string.
func escape(name string) string { return strings.ReplaceAll(quote(name), "%", "%%") }

// last is a sort key that puts null behind the other types.
func last(typeName string) string {
	if typeName == "null" {
		return "z"
	}
	return "a"
}

// Alternatives lists names in a sentence: a, b or c.
func Alternatives(want []string) string {
	if len(want) < 2 {
		return strings.Join(want, "")
	}
	return strings.Join(want[:len(want)-1], ", ") + " or " + want[len(want)-1]
}

func display(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return excerpt(text)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func rat(r *big.Rat) string {
	f, _ := r.Float64()
	if r.IsInt() {
		return r.Num().String()
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
