package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestBrowser looks at the inspector's page in a browser, by a script for node. It
// runs where JC_WEBHOOKS_TEST_BROWSER names a folder with the node modules of
// testdata/browser/package.json, as .ci/run makes it.
func TestBrowser(t *testing.T) {
	modules := os.Getenv("JC_WEBHOOKS_TEST_BROWSER")
	if modules == "" {
		t.Skip("skipped: JC_WEBHOOKS_TEST_BROWSER names no folder with playwright-core and axe-core; .ci/run makes one")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "jc-webhooks")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	run := func(cmd *exec.Cmd) {
		t.Helper()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	run(exec.CommandContext(t.Context(), "go", "build", "-o", binary, "."))

	// The script finds its modules beside itself.
	const name = "inspect.test.mjs"
	script, err := os.ReadFile(filepath.Join("testdata", "browser", name))
	if err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(modules, name), script, 0o600); err != nil { //nolint:gosec // a folder of the person who runs the test
		t.Fatal(err)
	}

	port, err := openPort()
	if err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(dir, "ready")
	listen := exec.CommandContext(t.Context(), binary, "listen", "-q", "--port", "0", "--inspect", "--inspect-port", "0",
		"--ready-file", ready, "--record", filepath.Join(dir, "capture.ndjson"), "--forward-to", "127.0.0.1:"+port+"/hooks")
	if err = listen.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = listen.Process.Kill()
		_ = listen.Wait()
	}()
	var urls []string
	for begin := time.Now(); len(urls) < 2; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(ready) // until it is there
		urls = strings.Fields(string(text))
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the listener was not ready in time")
		}
	}
	node := exec.CommandContext(t.Context(), "node", filepath.Join(modules, name)) //nolint:gosec // as above
	node.Env = append(os.Environ(), "LISTEN_URL="+urls[0], "INSPECT_URL="+urls[1], "TARGET_PORT="+port)
	out, err := node.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
