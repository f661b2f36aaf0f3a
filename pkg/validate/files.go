package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// extensions are those of the files that are judged in a folder.
var extensions = []string{".json", ".ndjson", ".jsonl"}

// schemaExt marks the files of a folder that are about payloads.
const schemaExt = ".schema.json"

// Files yields the files that paths name, in their order: a file and [Stdin] as
// they are, of a folder and the folders below it all files whose names end in
// .json, .ndjson or .jsonl, but not in .schema.json, sorted by name. A path that
// is not there is taken as a pattern, if it looks like one. Symbolic
// links are followed, into each folder once. A path that cannot be read is
// yielded with its error.
func Files(paths []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range paths {
			if name == Stdin {
				if !yield(name, nil) {
					return
				}
				continue
			}
			info, err := os.Stat(name)
			if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(name, "*?[") {
				if !matches(name, yield) {
					return
				}
				continue
			}
			if err != nil || !info.IsDir() {
				if !yield(name, err) {
					return
				}
				continue
			}
			w := walker{yield: yield, seen: map[string]bool{}}
			if !w.folder(name) {
				return
			}
		}
	}
}

// errNoMatch is the error of a pattern.
var errNoMatch = errors.New("no file matches this pattern")

// matches yields the files that a pattern matches: that of path.Match, in which
// ** also stands for any number of folders.
func matches(pattern string, yield func(string, error) bool) bool {
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	plain := slices.IndexFunc(parts, func(part string) bool { return strings.ContainsAny(part, "*?[") })
	root := strings.Join(parts[:plain], "/")
	prefix := root + "/"
	if root == "" {
		root, prefix = ".", ""
		if strings.HasPrefix(pattern, "/") {
			root, prefix = "/", "/"
		}
	}
	found := false
	for _, part := range parts[plain:] {
		if _, err := path.Match(part, ""); err != nil {
			return yield(pattern, fmt.Errorf("the pattern: %w", err))
		}
	}
	goOn := true
	err := fs.WalkDir(os.DirFS(filepath.FromSlash(root)), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil && name == "." && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			found = true
			if goOn = yield(filepath.FromSlash(prefix+name), err); !goOn {
				return fs.SkipAll
			}
			return fs.SkipDir
		}
		if !matchParts(parts[plain:], strings.Split(name, "/")) || !regular(filepath.FromSlash(prefix+name), e) {
			return nil
		}
		found = true
		if goOn = yield(filepath.FromSlash(prefix+name), nil); !goOn {
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && !found {
		err = errNoMatch
	}
	if goOn && err != nil {
		return yield(pattern, err)
	}
	return goOn
}

// regular reports whether an entry is a file, or a link to one.
func regular(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(name)
		return err == nil && info.Mode().IsRegular()
	}
	return e.Type().IsRegular()
}

func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := 0; i <= len(name); i++ {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

type walker struct {
	yield func(string, error) bool
	seen  map[string]bool // real paths of folders
}

func (w *walker) folder(dir string) bool {
	realPath, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return w.yield(dir, err)
	}
	if abs, absErr := filepath.Abs(realPath); absErr == nil {
		realPath = abs
	}
	if w.seen[realPath] {
		return true
	}
	w.seen[realPath] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return w.yield(dir, err)
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		name := strings.ToLower(e.Name())
		wanted := slices.Contains(extensions, filepath.Ext(name)) && !strings.HasSuffix(name, schemaExt)
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(file)
			if err != nil {
				if wanted && !w.yield(file, err) {
					return false
				}
				continue
			}
			mode = info.Mode().Type()
		}
		switch {
		case mode.IsDir():
			if !w.folder(file) {
				return false
			}
		case mode.IsRegular() && wanted:
			if !w.yield(file, nil) {
				return false
			}
		}
	}
	return true
}

// A Verdict is the result for one payload of a file.
type Verdict struct {
	Result // with positions in the file

	// File is the path of the file as it was given or found.
	File string

	// Pos is where the payload begins in the file.
	Pos schema.Position

	// Payload is the payload to the byte, good until emit returns.
	Payload []byte

	// Ranks say of each problem the how manieth of its [Group] it is, from 1.
	Ranks []int
}

// Source returns the line of the payload that a problem is in, and where in it
// the problem begins, in bytes. It is nil where the problem is not in the
// payload.
func (v *Verdict) Source(p schema.Problem) (line []byte, offset int) {
	at := int(p.Pos.Offset - v.Pos.Offset)
	if at < 0 || at > len(v.Payload) || len(v.Payload) == 0 {
		return nil, 0
	}
	begin, end := at, at
	for begin > 0 && v.Payload[begin-1] != '\n' {
		begin--
	}
	for end < len(v.Payload) && v.Payload[end] != '\n' {
		end++
	}
	return bytes.TrimSuffix(v.Payload[begin:end], []byte("\r")), at - begin
}

// A Summary counts verdicts.
type Summary struct {
	Files    int `json:"files"`
	Payloads int `json:"payloads"`
	Valid    int `json:"valid"`
	Invalid  int `json:"invalid"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
}

// Minus returns what was counted since before.
func (s Summary) Minus(before Summary) Summary {
	return Summary{
		Files: s.Files - before.Files, Payloads: s.Payloads - before.Payloads, Valid: s.Valid - before.Valid,
		Invalid: s.Invalid - before.Invalid, Errors: s.Errors - before.Errors, Warnings: s.Warnings - before.Warnings,
	}
}

// Add counts one verdict.
func (s *Summary) Add(v *Verdict) {
	s.Payloads++
	errs := 0
	for i := range v.Problems {
		if v.Problems[i].Severity == schema.Error {
			errs++
		}
	}
	s.Errors += errs
	s.Warnings += len(v.Problems) - errs
	if errs > 0 {
		s.Invalid++
	} else {
		s.Valid++
	}
}
