package schema

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote appends the text of a JSON string, given with its quotes, to dst. It
// reports false for anything that is not such a string.
func Unquote(dst, source []byte) ([]byte, bool) {
	if len(source) < 2 || source[0] != '"' || source[len(source)-1] != '"' {
		return dst, false
	}
	b := source[1 : len(source)-1]
	for i := 0; i < len(b); {
		j := plain(b, i)
		for j < len(b) && b[j] >= utf8.RuneSelf {
			j = plain(b, j+1)
		}
		dst = append(dst, b[i:j]...)
		if j == len(b) {
			break
		}
		if b[j] != '\\' {
			return dst, false
		}
		if i = escape1(b, j); i < 0 {
			return dst, false
		}
		dst = appendEscape(dst, b[j:i])
	}
	return dst, true
}

// appendEscape appends what a valid escape stands for.
func appendEscape(dst, escape []byte) []byte {
	switch c := escape[1]; c {
	case 'n':
		return append(dst, '\n')
	case 't':
		return append(dst, '\t')
	case 'r':
		return append(dst, '\r')
	case 'b':
		return append(dst, '\b')
	case 'f':
		return append(dst, '\f')
	case 'u':
		r := rune(hex4(escape, 2)) //nolint:gosec // four digits
		if len(escape) > 6 {
			r = utf16.DecodeRune(r, rune(hex4(escape, 8))) //nolint:gosec // four digits
		}
		return utf8.AppendRune(dst, r)
	default:
		return append(dst, c)
	}
}

// QuotedOffset returns where, in a JSON string given with its quotes, the byte
// of its text begins that has the given offset there.
func QuotedOffset(source []byte, offset int) int {
	i := 1
	for n := 0; i < len(source)-1; {
		size, next := 1, i+1
		if source[i] == '\\' {
			if next = escape1(source, i); next < 0 {
				break
			}
			size = len(appendEscape(nil, source[i:next]))
		}
		if n+size > offset {
			break
		}
		n += size
		i = next
	}
	return i
}
