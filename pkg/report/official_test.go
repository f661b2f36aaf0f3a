package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// nasty is a run of files, names and messages that every format has to escape.
func nasty(t *testing.T, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	r := report.NewReporter(format, &b, report.Options{Dir: "/folder", Version: "1.2.3", Now: func() time.Time { return time.Unix(1e9, 0) }})
	texts := []string{"plain", `<&>"'`, "]]>", "a\nb\r\x00\x1b[31m", "é😀\u202e\ufffe", "%0A::error::", "|`*x*` <b>", strings.Repeat("x", 10_000), "\xff"}
	names := []string{"/folder/a b.json", "dir/é%20,:\n.json", "../up.json", "stdin"}
	tally := new(validate.Tally)
	for i, name := range names {
		err := r.Begin(name)
		sum := validate.Summary{Valid: 3}
		for j, text := range texts {
			v := &validate.Verdict{File: name, Pos: schema.Position{Offset: 10, Line: j + 1, Column: 1}}
			v.Event = text
			for k := range 2 {
				v.Problems = append(v.Problems, schema.Problem{
					Pos: schema.Position{Offset: 12, Line: j + 1, Column: 3}, Length: 4, Pointer: "/" + text, Keyword: "type",
					Severity: schema.Severity(k * j % 2), Message: text,
				})
			}
			err = errors.Join(err, r.Report(v))
		}
		var unreadable error
		if i == 2 {
			unreadable = errors.New("permission <denied> \x00")
		}
		err = errors.Join(err, r.End(name, sum, unreadable))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(tally); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// official returns the path of a schema that somebody else made. They are not
// in the repository: .ci/run fetches them and says where they are.
func official(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("JC_WEBHOOKS_TEST_SCHEMAS")
	if dir == "" {
		t.Skipf("skipped: %s is not here; JC_WEBHOOKS_TEST_SCHEMAS names its folder, as in .ci/run", name)
	}
	return filepath.Join(dir, name)
}

func TestSARIFAgainstItsSchema(t *testing.T) {
	s, err := jsonschema.NewCompiler().Compile(official(t, "sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"nasty": nasty(t, "sarif"), "empty": []byte(write(t, "sarif", report.Options{Now: time.Now}, validate.Summary{}))} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJUnitAgainstItsSchemas(t *testing.T) {
	for _, name := range []string{"JUnit.xsd", "jenkins-junit.xsd"} {
		xsd := official(t, name)
		xmllint, err := exec.LookPath("xmllint")
		if err != nil {
			t.Fatal("xmllint is missing")
		}
		for i, text := range [][]byte{nasty(t, "junit"), []byte(write(t, "junit", report.Options{Now: time.Now}, validate.Summary{}))} {
			cmd := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", xsd, "-")
			cmd.Stdin = bytes.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, report %d: %s", name, i, out)
			}
		}
	}
}

func TestGitLabFingerprintsAreUnique(t *testing.T) {
	var issues []struct{ Fingerprint string }
	if err := json.Unmarshal(nasty(t, "gitlab"), &issues); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, i := range issues {
		if len(i.Fingerprint) != 32 || seen[i.Fingerprint] {
			t.Errorf("the fingerprint %q is there twice, or odd", i.Fingerprint)
		}
		seen[i.Fingerprint] = true
	}
	if len(issues) < 50 {
		t.Errorf("only %d issues", len(issues))
	}
}

// TestGitHubIsOneCommandALine holds that nothing in a payload or a name can make a
// command of its own.
func TestGitHubIsOneCommandALine(t *testing.T) {
	for line := range strings.Lines(string(nasty(t, "github"))) {
		rest, ok := strings.CutPrefix(line, "::error ")
		if !ok {
			rest, ok = strings.CutPrefix(line, "::warning ")
		}
		properties, _, _ := strings.Cut(rest, "::")
		if !ok || strings.Count(properties, ",") > 3 || strings.ContainsAny(line, "\r\x00\x1b") {
			t.Errorf("%q", line)
		}
	}
}
