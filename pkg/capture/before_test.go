package capture_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Every place in a capture is found, over rotated files too, whatever the lines
// around it are.
func TestBefore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd [name]*.ndjson")
	write := func(name string, from, to uint64, extra string) {
		t.Helper()
		text := []byte(extra)
		for id := from; id <= to; id++ {
			// Lines of very different lengths.
			text = capture.Append(text, &webhook.Delivery{ID: id, Method: "POST", Status: 200, Body: []byte(strings.Repeat("x", int(id*id%7000)))}, nil)
			text = append(text, extra...)
		}
		if err := os.WriteFile(name, append(text, `{"v":1,"kind":"del`...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "odd [name]*.0001.ndjson"), 1, 150, "")
	write(filepath.Join(dir, "odd [name]*.0002.ndjson"), 151, 151, "{\"v\":1,\"kind\":\"ready\"}\n\nnot a record\n")
	write(path, 152, 500, "{\"v\":1,\"kind\":\"forward\",\"id\":1}\n")
	for before := uint64(0); before <= 510; before += 1 + before%23 {
		for _, n := range []uint64{1, 7, 1000} {
			got, err := capture.Before(path, before, int(n)) //nolint:gosec // small
			if err != nil {
				t.Fatal(err)
			}
			last := min(before, 501)
			first := uint64(1)
			if last > n {
				first = last - n
			}
			var want []string
			for id := first; id < last; id++ {
				want = append(want, fmt.Sprint(id))
			}
			var have []string
			for _, d := range got {
				have = append(have, fmt.Sprint(d.ID))
				if d.Status != 200 || len(d.Body) != int(d.ID*d.ID%7000) {
					t.Fatalf("delivery %d has status %d and %d bytes", d.ID, d.Status, len(d.Body))
				}
			}
			if strings.Join(have, " ") != strings.Join(want, " ") {
				t.Fatalf("%d before %d: got %v", n, before, have)
			}
		}
	}
}

func TestBeforeNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.ndjson")
	if got, err := capture.Before(path, 5, 5); err != nil || len(got) > 0 {
		t.Errorf("no file: %v, %v", got, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := capture.Before(path, 5, 5); err != nil || len(got) > 0 {
		t.Errorf("empty: %v, %v", got, err)
	}
	if got, err := capture.Before(dir, 5, 5); err == nil {
		t.Errorf("a folder: %v", got)
	}
}
