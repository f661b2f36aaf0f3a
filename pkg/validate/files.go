package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
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
// .json, .ndjson or .jsonl, but not in .schema.json, sorted by name. Symbolic
// links are followed, into each folder once. A path that cannot be read is
// yielded with its error.
func Files(paths []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, path := range paths {
			if path == Stdin {
				if !yield(path, nil) {
					return
				}
				continue
			}
			info, err := os.Stat(path)
			if err != nil || !info.IsDir() {
				if !yield(path, err) {
					return
				}
				continue
			}
			w := walker{yield: yield, seen: map[string]bool{}}
			if !w.folder(path) {
				return
			}
		}
	}
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
	if abs, err := filepath.Abs(realPath); err == nil {
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
		path := filepath.Join(dir, e.Name())
		name := strings.ToLower(e.Name())
		wanted := slices.Contains(extensions, filepath.Ext(name)) && !strings.HasSuffix(name, schemaExt)
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil {
				if wanted && !w.yield(path, err) {
					return false
				}
				continue
			}
			mode = info.Mode().Type()
		}
		switch {
		case mode.IsDir():
			if !w.folder(path) {
				return false
			}
		case mode.IsRegular() && wanted:
			if !w.yield(path, nil) {
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
}

// Read judges the payloads of one text in their order. It stops at the first
// error of src, emit or ctx; name stands for the text in verdicts.
func (c *Checker) Read(ctx context.Context, name string, src io.Reader, emit func(*Verdict) error) error {
	r := NewReader(src, DefaultMaxPayload)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		v := Verdict{File: name, Pos: p.Pos, Payload: p.Bytes}
		if p.Bytes != nil {
			v.Result = c.explain(p.Bytes)
			for i := range v.Problems {
				v.Problems[i].Pos = v.Problems[i].Pos.Shift(p.Pos)
			}
		}
		v.Problems = c.weigh(slices.Concat(p.Problems, v.Problems))
		if err := emit(&v); err != nil {
			return err
		}
	}
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
	return v.Payload[begin:end], at - begin
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
