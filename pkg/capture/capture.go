// Package capture writes deliveries down as lines of JSON, one record a line.
//
// It must not know what is in a body: a body is kept to the byte, as a JSON
// string, or in base64 where it is not UTF-8. It depends on the nouns of
// package webhook only.
package capture

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Version is the version of the record format. A record has it in the member
// "v", so that a reader can tell a record from a payload and an old format from
// a new one.
const Version = 1

// KindDelivery is the "kind" of the record of a delivery.
const KindDelivery = "delivery"

// TimeFormat is how a record writes a time, always in UTC.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// A Field is a member that a record has besides those of its delivery.
type Field struct {
	Name  string
	Value any // anything that encoding/json can encode
}

// AppendFields appends fields as a record has them, each behind a comma.
func AppendFields(dst []byte, fields ...Field) ([]byte, error) {
	for _, f := range fields {
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", f.Name, err)
		}
		dst = append(appendString(append(dst, ','), f.Name), ':')
		dst = append(dst, value...)
	}
	return dst, nil
}

// Append appends the record of a delivery, and a line end, to dst: v, kind, id,
// received, remote, method, url, header (an object of arrays), status (with
// which it was answered), what [AppendFields] made of further fields, and body or
// body_base64.
func Append(dst []byte, d *webhook.Delivery, fields []byte) []byte {
	dst = append(dst, `{"v":`...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, `,"kind":"`+KindDelivery+`","id":`...)
	dst = strconv.AppendUint(dst, d.ID, 10)
	dst = append(dst, `,"received":"`...)
	dst = appendTime(dst, d.Received.UTC())
	dst = append(dst, `","remote":`...)
	dst = appendString(dst, d.RemoteAddr)
	dst = append(dst, `,"method":`...)
	dst = appendString(dst, d.Method)
	dst = append(dst, `,"url":`...)
	dst = appendString(dst, d.URL)
	dst = append(dst, `,"header":{`...)
	var few [16]string // on the stack
	names := few[:0]
	for name := range d.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ":["...)
		for j, value := range d.Header[name] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, value)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `},"status":`...)
	dst = strconv.AppendInt(dst, int64(d.Status), 10)
	dst = append(dst, fields...)
	if utf8.Valid(d.Body) {
		dst = append(dst, `,"body":`...)
		dst = appendText(dst, d.Body)
	} else {
		dst = append(dst, `,"body_base64":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, d.Body), '"')
	}
	return append(dst, '}', '\n')
}

// appendTime appends a time in [TimeFormat].
func appendTime(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	const last = 9999 // that four digits can tell
	if year < 0 || year > last {
		return t.AppendFormat(dst, TimeFormat)
	}
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/int(time.Microsecond), 6)
	return append(dst, 'Z')
}

// appendDigits appends n in so many digits.
func appendDigits(dst []byte, n, digits int) []byte {
	dst = append(dst, "000000"[:digits]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// escapes are what stands in a JSON string for the bytes that cannot stand there
// themselves.
var escapes = func() (table [256]string) {
	for c := range ' ' {
		table[c] = fmt.Sprintf(`\u%04x`, c)
	}
	table['\n'], table['\r'], table['\t'] = `\n`, `\r`, `\t`
	table['"'], table['\\'] = `\"`, `\\`
	return table
}()

// appendText appends UTF-8 as a JSON string. It copies words, of which it then
// counts the bytes before the first that is escaped.
func appendText(dst, text []byte) []byte {
	const word = 8
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		if cap(dst)-len(dst) < word {
			dst = slices.Grow(dst, len(text)-i+len(text)/8+word)
		}
		if i+word <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			binary.LittleEndian.PutUint64(dst[len(dst):len(dst)+word], w)
			count := bits.TrailingZeros64(escaped(w)) / word // all, when there is none
			dst = dst[:len(dst)+count]
			if i += count; count == word {
				continue
			}
		}
		if escape := escapes[text[i]]; escape != "" {
			dst = append(dst, escape...)
		} else {
			dst = append(dst, text[i])
		}
		i++
	}
	return append(dst, '"')
}

// escaped has the highest bit set of the first byte of w that is escaped, and maybe
// of bytes behind it.
func escaped(w uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote := w ^ ones*'"'
	backslash := w ^ ones*'\\'
	return ((w - ones*' ') | (quote - ones) | (backslash - ones)) &^ w & high
}

// appendString appends s as a JSON string. Bytes that are not UTF-8, which only
// header fields and URLs can have here, become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	begin := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if escapes[c] != "" {
				dst = append(append(dst, s[begin:i]...), escapes[c]...)
				begin = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[begin:i]...), "\ufffd"...)
			begin = i + 1
		}
		i += size
	}
	return append(append(dst, s[begin:]...), '"')
}
