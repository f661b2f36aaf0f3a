package capture

import (
	"errors"
	"fmt"
	"strconv"
)

// A Record is what a reader of payloads wants of a record.
type Record struct {
	// Body is the JSON string that holds the body, with its quotes.
	Body []byte

	// Base64 says that the body is in base64.
	Base64 bool

	// Skip says that there is no payload: it is the line that listen begins
	// with, or the record of a request that only probed the URL.
	Skip bool

	// Err says why the record cannot be read.
	Err error
}

// Prefix is what every record begins with that this package wrote.
const Prefix = `{"v":`

// Names are the members of a record that [Inspect] asks for.
var Names = []string{"v", "kind", "method", NameBody, "body_base64"}

// NameBody is the member that has the body, unless that is not UTF-8.
const NameBody = "body"

// Inspect looks at an object, whose member of a given name get returns as it is
// written, or nil. It reports false when the object is not a record.
func Inspect(get func(name string) []byte) (Record, bool) {
	version, err := strconv.Atoi(string(get("v")))
	kind := string(get("kind"))
	if err != nil || len(kind) < 2 || kind[0] != '"' {
		return Record{}, false
	}
	body, encoded := get("body"), get("body_base64")
	switch {
	case version != Version:
		return Record{Err: otherVersion(version)}, true
	case kind != `"`+KindDelivery+`"`:
		return Record{Skip: true}, true
	case len(body) > 0 && body[0] == '"':
		empty := string(body) == `""`
		return Record{Body: body, Skip: empty && string(get("method")) != `"POST"`}, true
	case len(encoded) > 0 && encoded[0] == '"':
		return Record{Body: encoded, Base64: true}, true
	}
	return Record{Err: errNoBody}, true
}

var errNoBody = errors.New("a record without a body")

func otherVersion(version int) error {
	return fmt.Errorf("a record of version %d, and this program reads version %d", version, Version)
}
