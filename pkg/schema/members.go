package schema

import "bytes"

// FindString returns what stands between the quotes of the string that a
// top-level member has, in the object that text begins with, without reading
// more than it has to: text need not be JSON. It returns nil when there is no
// such member, or when its string has escapes. The name is given in quotes.
func FindString(text []byte, quotedName string) []byte {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return nil
	}
	i++
	for {
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != '"' {
			return nil
		}
		wanted := at(text, i, quotedName)
		if i = passString(text, i+1); i < 0 {
			return nil
		}
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != ':' {
			return nil
		}
		i = skipSpace(text, i+1)
		if i >= len(text) {
			return nil
		}
		if wanted {
			if text[i] != '"' {
				return nil
			}
			end := plain(text, i+1)
			if end >= len(text) || text[end] != '"' {
				return nil
			}
			return text[i+1 : end]
		}
		if i = passValue(text, i); i < 0 {
			return nil
		}
		i = skipSpace(text, i)
		if i >= len(text) || text[i] != ',' {
			return nil
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

// Members reads the object that text begins with as JSON, and calls found with
// the name of each top-level member, without its quotes, and the bytes of its
// value. It returns where the object ends, or -1 when the text is not an object
// or is too odd to be read in one pass; [Parse] reads any.
func Members(text []byte, found func(name, value []byte)) (end int) {
	var a Acceptor
	a.text = text
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return -1
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == '}' {
		return i + 1
	}
	var seen [maxSkipKeys][]byte
	for n := 0; ; n++ {
		if i >= len(text) || text[i] != '"' || n == maxSkipKeys {
			return -1
		}
		begin := i + 1
		quote := plain(text, begin)
		if quote >= len(text) || text[quote] != '"' {
			return -1
		}
		name := text[begin:quote]
		for _, other := range seen[:n] {
			if bytes.Equal(other, name) {
				return -1
			}
		}
		seen[n] = name
		i = skipSpace(text, quote+1)
		if i >= len(text) || text[i] != ':' {
			return -1
		}
		i = skipSpace(text, i+1)
		value := i
		if i = a.skip(i, 0); i < 0 {
			return -1
		}
		found(name, text[value:i])
		i = skipSpace(text, i)
		if i >= len(text) {
			return -1
		}
		if text[i] == '}' {
			return i + 1
		}
		if text[i] != ',' {
			return -1
		}
		i = skipSpace(text, i+1)
	}
}
