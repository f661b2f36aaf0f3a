package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// program builds the program into a folder of its own and returns that.
func program(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir, ".").CombinedOutput()
	if err != nil {
		t.Skipf("skipped: the program cannot be built here: %v\n%s", err, out)
	}
	return dir
}

// repository makes a git repository with a good and a bad payload, and files
// that are none of a hook's business.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: git is not on the path")
	}
	dir := t.TempDir()
	sample, err := os.ReadFile("../../fixtures/call.missed.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"good/call.json": string(sample), "bad/call.json": strings.Replace(string(sample), `"agent_id": null`, `"agent_id": "x"`, 1),
		"bad/x.schema.json": "{", "README.md": "#",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
	return dir
}

func run(t *testing.T, dir string, env []string, name string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}

// TestPreCommitHook runs the hook as pre-commit does: the entry, with the names
// of the files that are tracked and matched.
func TestPreCommitHook(t *testing.T) {
	text, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct{ ID, Entry, Language, Files, Exclude string }
	if err := yaml.Unmarshal(text, &hooks); err != nil {
		t.Fatal(err)
	}
	if len(hooks) != 1 || hooks[0].Language != "golang" {
		t.Fatalf("got %+v", hooks)
	}
	path := program(t)
	dir := repository(t)
	_, tracked := run(t, dir, nil, "git", "ls-files")
	var files []string
	for name := range strings.FieldsSeq(tracked) {
		if regexp.MustCompile(hooks[0].Files).MatchString(name) && !regexp.MustCompile(hooks[0].Exclude).MatchString(name) {
			files = append(files, name)
		}
	}
	if got := strings.Join(files, " "); got != "bad/call.json good/call.json" {
		t.Fatalf("the hook is run on %s", got)
	}
	entry := strings.Fields(hooks[0].Entry)
	entry[0] = filepath.Join(path, entry[0])
	code, out := run(t, dir, nil, entry[0], append(entry[1:], files...)...)
	if code != 1 || !strings.Contains(out, "bad/call.json:9:17: error: /data/agent_id") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := run(t, dir, nil, entry[0], append(entry[1:], "good/call.json")...); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestAction runs the step of the GitHub action with a program on the path, so
// that nothing has to be installed.
func TestAction(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: bash is not on the path")
	}
	text, err := os.ReadFile("../../.github/actions/validate/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]any
		Runs   struct {
			Using string
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err = yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 || len(action.Inputs) != 3 {
		t.Fatalf("got %+v", action)
	}
	step := action.Runs.Steps[0]
	here, err := filepath.Abs("../../.github/actions/validate")
	if err != nil {
		t.Fatal(err)
	}
	path := program(t)
	dir := repository(t)
	summary := filepath.Join(t.TempDir(), "summary.md")
	inputs := map[string]string{"${{ inputs.paths }}": "bad\ngood/*.json\n", "${{ inputs.args }}": "--strict\n", "${{ inputs.version }}": "latest"}
	env := []string{
		"PATH=" + path + string(os.PathListSeparator) + os.Getenv("PATH"), "GITHUB_ACTION_PATH=" + here, "GITHUB_STEP_SUMMARY=" + summary,
	}
	for name, value := range step.Env {
		input, ok := inputs[value]
		if !ok {
			t.Fatalf("%s is %s, which is no input", name, value)
		}
		env = append(env, name+"="+input)
	}
	code, out := run(t, dir, env, bash, "-e", "-c", step.Run)
	if code != 1 || !strings.Contains(out, "::error file=bad/call.json,line=9,col=17,title=call.missed%3A type::/data/agent_id: got string") {
		t.Errorf("exit %d: %s", code, out)
	}
	if text, err = os.ReadFile(summary); err != nil || !strings.Contains(string(text), "| 2 | 2 | 1 | 1 |") {
		t.Errorf("the summary: %s, %v", text, err)
	}
}
