// Package pkg_test holds the arrows between the packages.
package pkg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/jc-webhooks/jc-webhooks"

// An arrow says what a package may import besides the standard library.
type arrow struct {
	project []string // packages of this project
	outside bool     // other modules
}

// arrows are those of docs/architecture.md. A new package has to be placed here.
var arrows = map[string]arrow{
	"fixtures":      {},
	"pkg":           {}, // this test
	"pkg/webhook":   {},
	"pkg/signature": {},
	"pkg/schema":    {outside: true},
	"pkg/validate":  {project: []string{"pkg/webhook", "pkg/schema"}},
	"pkg/capture":   {project: []string{"pkg/webhook"}},
	"pkg/deliver":   {project: []string{"pkg/webhook", "pkg/signature"}},
	"pkg/load":      {project: []string{"pkg/deliver"}, outside: true},
	"pkg/listen":    {project: []string{"pkg/webhook"}},
	"pkg/inspect":   {project: []string{"pkg/webhook"}, outside: true},
	"pkg/check":     {project: []string{"pkg/webhook", "pkg/schema", "pkg/validate", "pkg/signature", "pkg/deliver"}, outside: true},
	"pkg/report":    {project: []string{"pkg/webhook", "pkg/schema", "pkg/validate", "pkg/deliver", "pkg/signature", "pkg/load", "pkg/check"}, outside: true},
	"pkg/cli": {
		project: []string{
			"fixtures", "pkg/webhook", "pkg/schema", "pkg/validate", "pkg/signature",
			"pkg/capture", "pkg/deliver", "pkg/listen", "pkg/inspect", "pkg/load", "pkg/check", "pkg/report",
		},
		outside: true,
	},
	"pkg/cli/internal/gen":         {project: []string{"pkg/cli"}, outside: true},
	"pkg/validate/internal/corpus": {project: []string{"fixtures", "pkg/webhook", "pkg/capture"}, outside: true},
	"cmd/jc-webhooks":              {project: []string{"pkg/cli"}},
}

func TestArrows(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("skipped: the go tool, which lists the imports, is not on the path")
	}
	cmd := exec.CommandContext(t.Context(), tool, "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name, ok := local(fields[0])
		if !ok {
			continue
		}
		found++
		allowed, ok := arrows[name]
		if !ok {
			t.Errorf("%s has no place in the table of arrows", name)
			continue
		}
		for _, path := range fields[1:] {
			if target, ok := local(path); ok {
				if !slices.Contains(allowed.project, target) {
					t.Errorf("%s must not import %s", name, target)
				}
			} else if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !allowed.outside {
				t.Errorf("%s must not import %s: only the standard library and this project", name, path)
			}
		}
	}
	if found < 5 {
		t.Errorf("go list names only %d packages of the project", found)
	}
}

// local returns the path of a package of this project within it.
func local(path string) (string, bool) {
	return strings.CutPrefix(path, module+"/")
}
