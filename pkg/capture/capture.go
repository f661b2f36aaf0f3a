// Package capture writes deliveries down as lines of JSON, one record a line.
//
// It must not know what is in a body: a body is kept to the byte, as a JSON
// string, or in base64 where it is not UTF-8. It depends on the nouns of
// package webhook only.
package capture

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// Append appends the record of a delivery, and a line end, to dst: v, kind, id,
// received, remote, method, url, header (an object of arrays), status (with
// which it was answered), the given fields, and body or body_base64. It fails
// only when a field cannot be encoded.
func Append(dst []byte, d *webhook.Delivery, status int, fields ...Field) ([]byte, error) {
	dst = append(dst, `{"v":`...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, `,"kind":"`+KindDelivery+`","id":`...)
	dst = strconv.AppendUint(dst, d.ID, 10)
	dst = append(dst, `,"received":"`...)
	dst = d.Received.UTC().AppendFormat(dst, TimeFormat)
	dst = append(dst, `","remote":`...)
	dst = appendString(dst, d.RemoteAddr)
	dst = append(dst, `,"method":`...)
	dst = appendString(dst, d.Method)
	dst = append(dst, `,"url":`...)
	dst = appendString(dst, d.URL)
	dst = append(dst, `,"header":{`...)
	for i, name := range slices.Sorted(maps.Keys(d.Header)) {
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
	dst = strconv.AppendInt(dst, int64(status), 10)
	for _, f := range fields {
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", f.Name, err)
		}
		dst = append(appendString(append(dst, ','), f.Name), ':')
		dst = append(dst, value...)
	}
	if utf8.Valid(d.Body) {
		dst = append(dst, `,"body":`...)
		dst = appendString(dst, d.Body)
	} else {
		dst = append(dst, `,"body_base64":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, d.Body), '"')
	}
	return append(dst, '}', '\n'), nil
}

// appendString appends s as a JSON string. Bytes that are not UTF-8, which only
// header fields and URLs can have here, become U+FFFD.
func appendString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	begin := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[begin:i]...), "\ufffd"...)
				begin = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[begin:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		begin = i
	}
	return append(append(dst, s[begin:]...), '"')
}
