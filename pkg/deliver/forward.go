package deliver

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Forwarded returns a delivery to target of what was received as d: the method
// and the body to the byte, the end-to-end header fields with all their values,
// and the path and the query behind those of target.
func Forwarded(d *webhook.Delivery, target *url.URL) *webhook.Delivery {
	u := *target
	if received, err := url.ParseRequestURI(d.URL); err == nil {
		if suffix, ok := strings.CutPrefix(received.EscapedPath(), "/"); ok && suffix != "" {
			raw := strings.TrimSuffix(u.EscapedPath(), "/") + "/" + suffix
			if path, err := url.PathUnescape(raw); err == nil {
				u.Path, u.RawPath = path, raw
			}
		}
		if u.RawQuery != "" && received.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += received.RawQuery
	}
	header := EndToEnd(d.Header)
	for _, name := range []string{"Content-Type", "User-Agent"} {
		if _, ok := header[name]; !ok {
			header[name] = nil // so that a client does not add its own
		}
	}
	return &webhook.Delivery{ID: d.ID, Method: d.Method, URL: u.String(), Header: header, Body: d.Body}
}

// hopByHop are the header fields that are about one connection (RFC 9110,
// section 7.6.1), or that a client makes itself.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length", "Host", "Expect",
}

// EndToEnd returns a copy of a header without the fields that are about one
// connection.
func EndToEnd(header map[string][]string) map[string][]string {
	named := map[string]bool{}
	for _, value := range header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			named[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	kept := make(map[string][]string, len(header)+1)
	for name, values := range header {
		if !named[name] && !slices.Contains(hopByHop, name) {
			kept[name] = slices.Clone(values)
		}
	}
	return kept
}

// Via is the header field that names who has forwarded a message (RFC 9110,
// section 7.6.3).
const Via = "Via"

// AddVia says in a header that by has forwarded the message.
func AddVia(header map[string][]string, by string) {
	header[Via] = append(slices.Clip(header[Via]), "1.1 "+by)
}

// HasVia reports whether by has forwarded the message.
func HasVia(header map[string][]string, by string) bool {
	for _, value := range header[Via] {
		for hop := range strings.SplitSeq(value, ",") {
			if fields := strings.Fields(hop); len(fields) > 1 && fields[1] == by {
				return true
			}
		}
	}
	return false
}

// Gateway returns the status with which somebody who relays answers for the
// outcome, and whether it is that of the response: 504 when there was none in
// time, and 502 when there was none else, or none that can be passed on.
func (o *Outcome) Gateway() (status int, passed bool) {
	const highest = 599
	switch {
	case o.Class == Timeout:
		return http.StatusGatewayTimeout, false
	case o.Err != nil || o.Cut || o.Status < http.StatusOK || o.Status > highest:
		return http.StatusBadGateway, false
	}
	return o.Status, true
}
