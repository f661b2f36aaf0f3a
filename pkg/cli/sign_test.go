package cli

import (
	"bytes"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct{ name, in, value, body string }{
		{"fields only", "X-A: 1\nx-b: 2\n", "1", ""},
		{"curl -v", "> POST / HTTP/1.1\n> X-A: 1\n> X-B: 2\n", "1", ""},
		{"no end", "X-A: 1", "1", ""},
		{"request line", "POST / HTTP/1.1\r\nX-A: 1\r\n\r\n{\n\n}\r\n", "1", "{\n\n}\r\n"},
		{"status line", "HTTP/1.1 200 OK\nX-A: 1\n\n", "1", ""},
		{"empty lines first", "\n\nX-A: 1\n\nbody", "1", "body"},
	} {
		h, body, err := parseRequest([]byte(tt.in))
		if err != nil || len(h["X-A"]) != 1 || h["X-A"][0] != tt.value || string(body) != tt.body {
			t.Errorf("%s: got %v, %q, %v", tt.name, h, body, err)
		}
	}
}

// FuzzParseRequest holds that the body is what the text ends with.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("X-A: 1\n\n{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, body, err := parseRequest(text); err == nil && !bytes.HasSuffix(text, body) && !bytes.Contains(text, []byte("> ")) && !bytes.Contains(text, []byte("< ")) {
			t.Errorf("the body of %q is %q", text, body)
		}
	})
}
