package report

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Curl writes the command that makes a delivery with curl, for a POSIX shell. It
// runs as it is printed, and the body arrives to the byte.
func Curl(d *webhook.Delivery) string {
	var b strings.Builder
	text := utf8.Valid(d.Body) && !slices.Contains(d.Body, 0)
	long := len(d.Body) > maxArgument
	switch {
	case !text:
		b.WriteString("printf %s " + Quote(base64.StdEncoding.EncodeToString(d.Body)) + " | base64 -d | ")
	case long: // printf is part of the shell, where there is no limit
		b.WriteString("printf %s " + Quote(string(d.Body)) + " | ")
	}
	b.WriteString("curl -sS")
	if d.Method != "" && (d.Method != http.MethodPost || len(d.Body) == 0) {
		if d.Method == http.MethodHead && len(d.Body) == 0 {
			b.WriteString(" --head")
		} else {
			b.WriteString(" -X " + Quote(d.Method))
		}
	}
	if strings.ContainsAny(d.URL, "[]{}") {
		b.WriteString(" --globoff")
	}
	if strings.Contains(d.URL, "/.") {
		b.WriteString(" --path-as-is")
	}
	b.WriteString(" " + Quote(d.URL))
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		if name == "Content-Length" || name == "Transfer-Encoding" || name == "Connection" {
			continue // curl makes its own
		}
		for _, value := range d.Header[name] {
			if value == "" {
				b.WriteString(" \\\n  -H " + Quote(name+";")) // curl's way to say so
			} else {
				b.WriteString(" \\\n  -H " + Quote(name+": "+value))
			}
		}
	}
	switch {
	case len(d.Body) == 0:
	case text && !long:
		// A body that begins with @ would be the name of a file.
		b.WriteString(" \\\n  --data-raw " + Quote(string(d.Body)))
	default:
		b.WriteString(" \\\n  --data-binary @-")
	}
	return b.String()
}

// maxArgument is the longest body that is an argument of a command, in bytes. Linux
// takes 128 KiB.
const maxArgument = 100_000

// Quote quotes text for a POSIX shell.
func Quote(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
