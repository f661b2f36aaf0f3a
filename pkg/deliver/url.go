package deliver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseURL reads the URL of an endpoint as people write it: 3000, :3000,
// localhost:3000/hooks and 127.0.0.1 are on this machine and speak http; any
// other host without a scheme speaks https, the only one that JustCall
// delivers to. An URL without a path has the path /.
func ParseURL(s string) (*url.URL, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return nil, errors.New("the URL is empty")
	}
	s = withoutUser(s) // it is only repeated in errors from here on
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		if lower := strings.ToLower(scheme); lower != "http" && lower != "https" {
			return nil, fmt.Errorf("the URL %q has the scheme %q, want http or https", s, scheme)
		}
	} else {
		end := strings.IndexAny(text, "/?#")
		if end < 0 {
			end = len(text)
		}
		host, rest := text[:end], text[end:]
		if number := strings.TrimPrefix(host, ":"); number != "" && strings.Trim(number, "0123456789") == "" && !isPort(number) {
			return nil, fmt.Errorf("the URL %q has the port %s, want 1 to 65535", s, number)
		}
		if isPort(strings.TrimPrefix(host, ":")) {
			host = "127.0.0.1:" + strings.TrimPrefix(host, ":")
		}
		scheme = "https"
		if isLoopback(host[strings.LastIndexByte(host, '@')+1:]) {
			scheme = "http"
		}
		text = scheme + "://" + host + rest
	}
	u, err := url.Parse(text)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		if strings.Contains(text, "@") {
			err = errors.New("a part of it is malformed") // the cause may repeat a password
		}
		return nil, fmt.Errorf("the URL %q cannot be read: %w", s, err)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("the URL %q has no host", s)
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return nil, fmt.Errorf("the URL %q has the port %s, want 1 to 65535", s, port)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment = ""
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// escapeQuery escapes what must not stand in a request line, and leaves the rest as
// it was written.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// withoutUser replaces the name and the password in what may be a URL.
func withoutUser(s string) string {
	begin := 0
	if i := strings.Index(s, "://"); i >= 0 {
		begin = i + len("://")
	}
	if at := strings.LastIndexByte(s, '@'); at >= begin {
		return s[:begin] + "xxxxx" + s[at:]
	}
	return s
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
