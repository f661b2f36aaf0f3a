package validate_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// tree makes a folder of empty files and returns its path.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list returns what Files yields, relative to dir, errors marked.
func list(t *testing.T, dir string, paths ...string) []string {
	t.Helper()
	for i, path := range paths {
		if path != validate.Stdin {
			paths[i] = filepath.Join(dir, filepath.FromSlash(path))
		}
	}
	var got []string
	for path, err := range validate.Files(paths) {
		if rel, relErr := filepath.Rel(dir, path); relErr == nil {
			path = filepath.ToSlash(rel)
		}
		if errors.Is(err, fs.ErrNotExist) {
			path += " does not exist"
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		got = append(got, path)
	}
	return got
}

func TestFiles(t *testing.T) {
	dir := tree(t, "b.json", "a.NDJSON", "c.jsonl", "d.txt", "e.schema.json", "F.SCHEMA.JSON", "json", "b/z.json", "b/a/y.json", "b/README.md", "empty/x.txt")
	tests := []struct {
		name  string
		paths []string
		want  []string
	}{
		{"none", nil, nil},
		{"folder", []string{"."}, []string{"a.NDJSON", "b/a/y.json", "b/z.json", "b.json", "c.jsonl"}},
		{"folder in a folder", []string{"b"}, []string{"b/a/y.json", "b/z.json"}},
		{"folder without payloads", []string{"empty"}, nil},
		{"file of any name", []string{"d.txt", "e.schema.json"}, []string{"d.txt", "e.schema.json"}},
		{"order of the paths", []string{"c.jsonl", "b.json"}, []string{"c.jsonl", "b.json"}},
		{"standard input", []string{"b.json", "-"}, []string{"b.json", "-"}},
		{"missing", []string{"nope.json", "b.json"}, []string{"nope.json does not exist", "b.json"}},
		{"twice", []string{"b.json", "b.json"}, []string{"b.json", "b.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := list(t, dir, slices.Clone(tt.paths)...); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFilesStops(t *testing.T) {
	dir := tree(t, "a.json", "b/c.json", "d.json")
	for range 3 {
		for range validate.Files([]string{dir, dir, validate.Stdin}) { //nolint:errcheck // it is the stop that counts
			break // must not go on after this, or it panics
		}
	}
}

func TestFilesSymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: symbolic links need a privilege there")
	}
	dir := tree(t, "a/x.json", "b/y.json", "other/z.json")
	for name, target := range map[string]string{
		"a/loop":      "..",
		"a/self":      ".",
		"b/file.json": "../other/z.json",
		"b/gone.json": "nowhere",
		"b/gone":      "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, path string
		want       []string
	}{
		{"loop to the folder itself", "a", []string{"a/loop/b/file.json", "a/loop/b/gone.json does not exist", "a/loop/b/y.json", "a/loop/other/z.json", "a/x.json"}},
		{"links to files", "b", []string{"b/file.json", "b/gone.json does not exist", "b/y.json"}},
		{"all", ".", []string{"a/x.json", "b/file.json", "b/gone.json does not exist", "b/y.json", "other/z.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := list(t, dir, tt.path); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
