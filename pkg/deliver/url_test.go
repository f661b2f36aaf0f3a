package deliver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		in, want string // want is the URL, or a part of the error behind "!"
	}{
		{"3000", "http://127.0.0.1:3000/"},
		{"3000/hooks", "http://127.0.0.1:3000/hooks"},
		{":3000", "http://127.0.0.1:3000/"},
		{":3000/a?b=c", "http://127.0.0.1:3000/a?b=c"},
		{"localhost", "http://localhost/"},
		{"localhost:3000/hooks", "http://localhost:3000/hooks"},
		{"LOCALHOST:3000", "http://LOCALHOST:3000/"},
		{"127.0.0.1:8080", "http://127.0.0.1:8080/"},
		{"127.5.6.7", "http://127.5.6.7/"},
		{"[::1]:80", "http://[::1]:80/"},
		{"[::1]", "http://[::1]/"},
		{"example.com/x", "https://example.com/x"},
		{"example.com:8443", "https://example.com:8443/"},
		{"192.168.0.7:3000", "https://192.168.0.7:3000/"},
		{"http://example.com", "http://example.com/"},
		{"HTTPS://example.com/A", "https://example.com/A"},
		{"http://user:pass@h/x", "http://user:pass@h/x"},
		{"http://h/a%2fb?c=%20#frag", "http://h/a%2fb?c=%20"},
		{"  http://h/  ", "http://h/"},
		{"http://h/a b", "http://h/a%20b"},
		{"localhost/?a=b c&d=é%20", "http://localhost/?a=b%20c&d=%C3%A9%20"},
		{"localhost/a b", "http://localhost/a%20b"},
		{"", "!the URL is empty"},
		{" \t", "!the URL is empty"},
		{"http://", "!has no host"},
		{"https:///x", "!has no host"},
		{"http://:80/", "!has no host"},
		{"ftp://x", `!has the scheme "ftp", want http or https`},
		{"://x", `!has the scheme ""`},
		{"http://h:99999", "!has the port 99999, want 1 to 65535"},
		{"http://h:0", "!has the port 0"},
		{"99999", "!has the port 99999, want 1 to 65535"},
		{"http://h:port/", "!invalid port"},
		{"::1", "!cannot be read"},
		{"http://a b/", "!cannot be read"},
		{"http://h/%zz", "!cannot be read"},
		{"http://h/\x7f", "!cannot be read"},
		{"http://[::1/", "!cannot be read"},
		{"http://user:pass@h:99999/", `!the URL "http://xxxxx@h:99999/" has the port 99999`},
		{"http://user:pa%ss@h/", `!the URL "http://xxxxx@h/" cannot be read: a part of it is malformed`},
		{"user:pass@", `!the URL "xxxxx@" has no host`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			u, err := deliver.ParseURL(tt.in)
			if says, ok := strings.CutPrefix(tt.want, "!"); ok {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, %v, want an error with %q", u, err, says)
				}
				return
			}
			if err != nil || u.String() != tt.want {
				t.Errorf("got %v, %v, want %s", u, err, tt.want)
			}
		})
	}
}

// FuzzParseURL holds that what is accepted can be delivered to, and is accepted
// again as it is.
func FuzzParseURL(f *testing.F) {
	f.Add("http://127.0.0.1:2255/")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := deliver.ParseURL(s)
		if err != nil {
			if u != nil || err.Error() == "" {
				t.Fatalf("got %v and the error %q", u, err)
			}
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path == "" || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("got %#v", u)
		}
		if _, err = http.NewRequest(http.MethodPost, u.String(), http.NoBody); err != nil {
			t.Fatalf("%s cannot be requested: %v", u, err)
		}
		again, err := deliver.ParseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%s is read again as %v, %v", u, again, err)
		}
	})
}
