package schema

import (
	"bytes"
	"slices"
)

// FindString returns what stands between the quotes of the string that a
// top-level member has, in the object that text begins with, without reading
// more than it has to: text need not be JSON. The value is nil when the member is
// not a string without escapes; found is false when there is none of that name
// before the text gets too odd. The name is given in quotes.
func FindString(text []byte, quotedName string) (value []byte, found bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return nil, false
	}
	i++
	for {
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != '"' {
			return nil, false
		}
		wanted := at(text, i, quotedName)
		if wanted {
			i += len(quotedName)
		} else if i = passString(text, i+1); i < 0 {
			return nil, false
		}
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != ':' {
			return nil, false
		}
		i = skipSpace(text, i+1)
		if i >= len(text) {
			return nil, false
		}
		if wanted {
			if text[i] != '"' {
				return nil, true
			}
			end := plain(text, i+1)
			if end >= len(text) || text[end] != '"' {
				return nil, true
			}
			return text[i+1 : end], true
		}
		if i = passValue(text, i); i < 0 {
			return nil, false
		}
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != ',' {
			return nil, false
		}
		i++
	}
}

// passString returns the index after the string whose first byte after the
// quote is at i, or -1.
func passString(b []byte, i int) int {
	for {
		i = plain(b, i)
		if i >= len(b) {
			return -1
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i += 2
		default:
			i++
		}
	}
}

// passValue returns the index after the value at i, of which it looks only at
// strings and brackets, or -1.
func passValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = passString(b, i+1); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}

// An ObjectReader reads objects that are mostly alike, such as the records of a
// capture: their top-level members, in one pass in which everything is checked
// to be JSON. It learns in which order keys come. One goroutine uses it at a
// time.
type ObjectReader struct {
	// Names are the members that are wanted, and Values, in the same order,
	// those of the last object, as they are written; nil where there is none.
	Names  []string
	Values [][]byte

	// Unquote is the index of the name whose string is unquoted on the way,
	// and Text what it says.
	Unquote int
	Text    []byte

	acceptor Acceptor
	keys     []objectKey // in the order in which they came before
}

type objectKey struct {
	name   string
	wanted int    // index of the name, or -1
	value  []byte // of an object, as it was the last time: headers repeat
}

// InLine reports whether the last object was written in one line.
func (r *ObjectReader) InLine() bool { return !r.acceptor.broken }

// Read reads the object that text begins with and returns where it ends, or -1
// when the text is not an object, or is too odd for one pass; [Parse] reads any.
func (r *ObjectReader) Read(text []byte) (end int) {
	a := &r.acceptor
	a.text, a.broken, a.depth = text, false, 0
	a.drifts = a.drifts[:0]
	if len(r.Values) != len(r.Names) {
		r.Values = make([][]byte, len(r.Names))
	}
	clear(r.Values)
	if len(text) == 0 || text[0] != '{' {
		return -1
	}
	i := a.space(1)
	if i < len(text) && text[i] == '}' {
		return i + 1
	}
	for n := 0; ; n++ {
		k, next := r.key(n, i)
		if next < 0 {
			return -1
		}
		i = next
		begin := i
		switch {
		case i >= len(text):
			return -1
		case text[i] == '"' && k.wanted == r.Unquote:
			r.Text, i = unquote(r.Text[:0], text, i)
		case text[i] == '{' && len(k.value) > 0 && len(text)-i >= len(k.value) && bytes.Equal(text[i:i+len(k.value)], k.value):
			i += len(k.value) // it was looked at before
		case text[i] == '{':
			if i = a.skip(i, 0); i > 0 && !a.broken {
				k.value = append(k.value[:0], text[begin:i]...)
			}
		default:
			i = a.skip(i, 0)
		}
		if i < 0 {
			return -1
		}
		if k.wanted >= 0 {
			r.Values[k.wanted] = text[begin:i]
		}
		i = a.space(i)
		if i >= len(text) {
			return -1
		}
		if text[i] == '}' {
			return i + 1
		}
		if text[i] != ',' {
			return -1
		}
		i = a.space(i + 1)
	}
}

// key reads the n-th key, at i, and returns where its value begins, or -1.
func (r *ObjectReader) key(n, i int) (k *objectKey, next int) {
	a := &r.acceptor
	b := a.text
	if i >= len(b) || b[i] != '"' || n == maxSkipKeys {
		return nil, -1
	}
	i++
	if n < len(r.keys) && at(b, i, r.keys[n].name) && i+len(r.keys[n].name) < len(b) && b[i+len(r.keys[n].name)] == '"' {
		i += len(r.keys[n].name) // as it was before, and so not one of the others
	} else {
		quote := plain(b, i)
		if quote >= len(b) || b[quote] != '"' {
			return nil, -1
		}
		name := string(b[i:quote])
		r.keys = r.keys[:min(n, len(r.keys))]
		for _, other := range r.keys {
			if other.name == name {
				return nil, -1
			}
		}
		r.keys = append(r.keys, objectKey{name: name, wanted: slices.Index(r.Names, name)})
		i = quote
	}
	i = a.space(i + 1)
	if i >= len(b) || b[i] != ':' {
		return nil, -1
	}
	return &r.keys[n], a.space(i + 1)
}
