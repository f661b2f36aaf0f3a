package report_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// The command runs as it is printed, and makes the request that it stands for.
func TestCurl(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: %s, which runs the commands, is not on the path", tool)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, tt := range []struct {
		name, method, path string
		header             map[string][]string
		body               []byte
	}{
		{"plain", "POST", "/hooks", map[string][]string{"Content-Type": {"application/json"}}, []byte("{\n  \"a\": 1\n}\n")},
		{"quotes", "POST", "/", nil, []byte(`'"$(touch x)` + "`id`" + ` \n !! '\''`)},
		{"a file's name", "POST", "/", nil, []byte("@/etc/hostname")},
		{"line ends", "POST", "/", nil, []byte("a\r\nb\n\n")},
		{"binary", "POST", "/", nil, all},
		{"not UTF-8", "POST", "/", nil, []byte("\xff\xfe")},
		{"no body", "POST", "/", nil, nil},
		{"probe", "GET", "/?a=b&c=$HOME'", nil, nil},
		{"odd path", "POST", "/a/../b/[1-3]{x,y}//c%2fd", nil, []byte("x")},
		{"header", "POST", "/", map[string][]string{"X-Two": {"1", "2"}, "X-Quote": {"it's \"$x\""}, "X-Empty": {""}}, []byte("{}")},
		{"beyond ASCII", "POST", "/", map[string][]string{"X-A": {"é"}}, []byte("\"😀 \u202e\"")},
		{"long", "POST", "/", nil, bytes.Repeat([]byte("it's \n"), 40_000)},
		{"begins with a dash", "POST", "/", nil, []byte("--help")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var method, uri string
			var header http.Header
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				method, uri, header = r.Method, r.RequestURI, r.Header
				body, _ = io.ReadAll(r.Body)
			}))
			defer server.Close()
			command := report.Curl(&webhook.Delivery{Method: tt.method, URL: server.URL + tt.path, Header: tt.header, Body: tt.body})
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "command"), []byte(command), 0o600); err != nil { // an argument may be too long
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "command")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s\n%v\n%s", command, err, out)
			}
			if method != tt.method || uri != tt.path || !bytes.Equal(body, tt.body) {
				t.Errorf("%s\nmade %s %s %q", command, method, uri, body)
			}
			for name, values := range tt.header {
				if !slices.Equal(header[name], values) {
					t.Errorf("%s is %q, want %q", name, header[name], values)
				}
			}
		})
	}
}

func TestSummary(t *testing.T) {
	for _, tt := range []struct{ name, body, line string }{
		{"call", `{"event":"e","data":{"call_id":"c1","from":"+1","agent_id":null,"duration":42,"ok":true,"tags":["a"],"notes":""}}`, "+1  duration 42  ok true"},
		{"no object within", `{"a":"b","n":1.5}`, "b  n 1.5"},
		{"escapes", `{"data":{"a":"\u001b[2J\u202e"}}`, `\x1b[2J\u202e`},
		{"beyond ASCII", `{"data":{"état":1}}`, "état 1"},
		{"array", `[1]`, ""},
		{"not JSON", `{`, ""},
		{"empty", ``, ""},
	} {
		if got := report.SummaryLine([]byte(tt.body)); got != tt.line {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.line)
		}
	}
}
