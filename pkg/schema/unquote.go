package schema

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote appends the text of a JSON string, given with its quotes, to dst. It
// reports false for anything that is not such a string.
func Unquote(dst, source []byte) ([]byte, bool) {
	if len(source) == 0 || source[0] != '"' {
		return dst, false
	}
	dst, end := unquote(dst, source, 0)
	return dst, end == len(source)
}

// unquote appends the text of the string that opens at i to dst, and returns
// where it ends, or -1 when it is not a JSON string.
func unquote(dst, b []byte, i int) (text []byte, end int) {
	i++
	n := len(dst)
	for {
		// Words are copied whole, and what is too much of one is written over.
		for len(b)-i >= word {
			if cap(dst)-n < word {
				dst = slices.Grow(dst[:n], max(cap(dst), len(b)-i))
			}
			w := binary.LittleEndian.Uint64(b[i:])
			binary.LittleEndian.PutUint64(dst[n:n+word], w)
			if m := specials(w); m != 0 {
				plain := bits.TrailingZeros64(m) >> 3
				i += plain
				n += plain
				break
			}
			i += word
			n += word
		}
		dst = dst[:n]
		if i >= len(b) {
			return dst, -1
		}
		switch c := b[i]; {
		case c == '"':
			return dst, i + 1
		case c == '\\':
			next := escape1(b, i)
			if next < 0 {
				return dst, -1
			}
			if e := b[i+1]; e == '"' || e == '\\' || e == '/' {
				dst = append(dst, e)
			} else {
				dst = appendEscape(dst, b[i:next])
			}
			i = next
		case c < ' ':
			return dst, -1
		case c < utf8.RuneSelf: // less than a word is left
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return dst, -1
			}
			dst = append(dst, b[i:i+size]...)
			i += size
		}
		n = len(dst)
	}
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
