package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func delivery(id uint64) *webhook.Delivery {
	return &webhook.Delivery{
		ID: id, Received: time.Unix(0, 0), Method: "POST", URL: "/", Body: fmt.Appendf(nil, `{"n":%d}`, id),
		Header: map[string][]string{"Cookie": {"a=1", "b=2"}, "X": {"y"}},
	}
}

func create(t *testing.T, path string, o capture.Options) (*capture.Writer, capture.Recovery) {
	t.Helper()
	w, r, err := capture.Create(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, r
}

func TestWriterRecovers(t *testing.T) {
	whole := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		name, in, out, torn string
		lastID              uint64
	}{
		{"new", "", "", "", 0},
		{"whole", "{\"id\":7}\n{\"id\":8}\n", "{\"id\":7}\n{\"id\":8}\n", "", 8},
		{"torn", "{\"id\":7}\n{\"id\":8", "{\"id\":7}\n", "{\"id\":8", 7},
		{"only torn", "{\"id\":8", "", "{\"id\":8", 0},
		{"one line", "{\"id\":9}\n", "{\"id\":9}\n", "", 9},
		{"long lines", "{\"id\":3,\"x\":\"" + whole + "\"}\n{\"y\":\"" + whole, "{\"id\":3,\"x\":\"" + whole + "\"}\n", "{\"y\":\"" + whole, 3},
		{"no capture", "hello\n", "hello\n", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.ndjson")
			if tt.name != "new" {
				if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w, r := create(t, path, capture.Options{})
			if w.LastID() != tt.lastID || r.Bytes != int64(len(tt.torn)) || (r.Torn != "") != (tt.torn != "") {
				t.Errorf("last ID %d, recovery %+v", w.LastID(), r)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != tt.out {
				t.Errorf("the capture is %.100q, %v", got, err)
			}
			if tt.torn != "" {
				if got, err := os.ReadFile(r.Torn); err != nil || string(got) != tt.torn {
					t.Errorf("set aside is %.100q, %v", got, err)
				}
			}
		})
	}
}

func TestWriterAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.ndjson")
	w, _ := create(t, path, capture.Options{Sync: true})
	if _, _, err := capture.Create(path, capture.Options{}); !errors.Is(err, capture.ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if err := w.Append(delivery(uint64(i + 1))); err != nil { //nolint:gosec // small
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 50 {
		t.Errorf("%d records", n)
	}
	if bytes.Contains(text, []byte("a=1")) || !bytes.Contains(text, []byte(`"Cookie":["[redacted]","[redacted]"]`)) {
		t.Errorf("the secrets of %s", text[:200])
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if w.LastID() != 50 {
		t.Errorf("last ID %d", w.LastID())
	}
}

func TestWriterRotates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.ndjson")
	w, _ := create(t, path, capture.Options{Rotate: 1000, Sync: true})
	for i := range 40 {
		if err := w.Append(delivery(uint64(i + 1))); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	records := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1000 || !bytes.HasSuffix(text, []byte("}\n")) {
			t.Errorf("%s has %d bytes, and ends in %q", name, len(text), text[len(text)-5:])
		}
		records += bytes.Count(text, []byte("\n"))
	}
	if records != 40 {
		t.Errorf("%d records", records)
	}
}

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a temporary folder
	w, _, err := capture.Create(filepath.Join(dir, "capture.ndjson"), capture.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	fmt.Println(w.Append(&webhook.Delivery{ID: 1, Method: "POST", URL: "/", Status: 200, Body: []byte("{}")}), w.LastID())
	// Output: <nil> 1
}

// Ids go on where the files that were rotated end, and these are told from files
// of others and ordered by their numbers.
func TestRotatedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.ndjson")
	record := func(name string, ids ...uint64) {
		t.Helper()
		var text []byte
		for _, id := range ids {
			text = capture.Append(text, delivery(id), nil)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	record("c.0002.ndjson", 1, 2)
	record("c.9999.ndjson", 3, 4)
	record("c.10000.ndjson", 5, 6)
	record("c.20260312-production.ndjson", 77)
	record("c.torn.0001.ndjson", 78)
	record("c.123.ndjson", 79)
	record("c.ndjson")
	w, _, err := capture.Create(path, capture.Options{Rotate: 1})
	if err != nil {
		t.Fatal(err)
	}
	if w.LastID() != 6 {
		t.Errorf("the last id is %d, want 6", w.LastID())
	}
	for id := uint64(7); id <= 9; id++ {
		if err = w.Append(delivery(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	if err = w.Append(delivery(10)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	var ids []uint64
	all, err := capture.Before(path, math.MaxUint64, 100)
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	if err != nil || !slices.Equal(ids, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("got %v, %v", ids, err)
	}
	if files := capture.Files(path); len(files) != 6 || filepath.Base(files[4]) != "c.10002.ndjson" {
		t.Errorf("files %v", files)
	}
}

// A file without line ends is refused or set aside in time that grows with its
// length, and not with the square of it.
func TestNoLineEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.ndjson")
	if err := os.WriteFile(path, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w, r, err := capture.Create(path, capture.Options{})
	if err != nil || r.Bytes != 64<<20 {
		t.Fatalf("got %+v, %v", r, err)
	}
	_ = w.Close()
}
