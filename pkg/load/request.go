package load

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// requestHead returns the beginning of every request, up to the fields that
// differ.
func requestHead(u *url.URL, header map[string][]string, agent string) ([]byte, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("the URL %q cannot be delivered to, want http or https and a host", u.Redacted())
	}
	fields := map[string][]string{
		"Host":         {u.Host},
		"Content-Type": {"application/json"},
		"User-Agent":   {agent},
	}
	if u.User != nil {
		password, _ := u.User.Password()
		fields["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))}
	}
	for name, values := range header {
		fields[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	host := fields["Host"]
	if len(host) == 0 {
		host = []string{u.Host}
	}
	if strings.ContainsFunc(host[0], func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("the host %q has spaces or control characters", host[0])
	}
	delete(fields, "Host")

	head := append([]byte("POST "), u.RequestURI()...)
	head = append(head, " HTTP/1.1\r\n"...)
	head = appendField(head, "Host", host[0])
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			if err := checkField(name, value); err != nil {
				return nil, err
			}
			if name != "User-Agent" || value != "" {
				head = appendField(head, name, value)
			}
		}
	}
	return head, nil
}

func appendField(to []byte, name, value string) []byte {
	to = append(to, name...)
	to = append(to, ": "...)
	to = append(to, value...)
	return append(to, "\r\n"...)
}

// checkField says why a field of a header cannot be sent, and does not allocate
// when it can.
func checkField(name, value string) error {
	if name == "" {
		return fmt.Errorf("a header field with the value %q has no name", value)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("the header field %q has a name with more than letters, digits and hyphens", name)
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the header field %q has control characters in its value", name)
		}
	}
	for _, made := range [...]string{"Content-Length", "Transfer-Encoding", "Host"} {
		if len(name) == len(made) && strings.EqualFold(name, made) {
			return fmt.Errorf("the header field %q is made from the request", name)
		}
	}
	return nil
}
