package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// ErrLocked means that another process, or another Writer of this one, appends
// to the capture.
var ErrLocked = errors.New("another process is recording to it")

// fileMode keeps captures to their owner: payloads have phone numbers in them.
const fileMode = 0o600

// Options say how a [Writer] records.
type Options struct {
	// Sync makes [Writer.Append] return when the disk has the records.
	Sync bool

	// Rotate is the size, in bytes, at which a new file is begun; 0 means
	// never.
	Rotate int64

	// Secrets keeps the values of header fields that hold credentials.
	Secrets bool
}

// A Writer appends records to a capture. It can be used by several goroutines.
// A record is in the file, whole, when Append returns, so it outlives the
// process; with [Options.Sync] it outlives the machine.
type Writer struct {
	options Options
	path    string

	mu     sync.Mutex // for what follows
	file   *os.File
	size   int64 // of the whole records in file
	dirty  bool  // there is more in file, which a failure left behind
	lastID uint64
	buffer []byte
	closed bool
}

// A Recovery says what was found at the end of a capture.
type Recovery struct {
	// Torn is the file to which a last record without an end was moved; it
	// is empty when there was none.
	Torn string

	// Bytes is how much was moved.
	Bytes int64
}

// Create opens the capture at path for appending, or makes it, and locks it. A
// last record that has no end, as a crash leaves it, is moved to a file beside
// the capture; nothing else is touched. It fails with [ErrLocked] when somebody
// else appends to it.
func Create(path string, o Options) (*Writer, Recovery, error) {
	// Rotation renames the file itself, and not a link to it.
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	}
	w := &Writer{options: o, path: path}
	if err := w.open(os.O_CREATE); err != nil {
		return nil, Recovery{}, err
	}
	r, err := w.recover()
	if err != nil {
		return nil, r, errors.Join(err, w.file.Close())
	}
	return w, r, nil
}

// open opens the file and locks it.
func (w *Writer) open(flags int) error {
	f, err := os.OpenFile(w.path, os.O_RDWR|os.O_APPEND|flags, fileMode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: w.path, Err: errors.New("not a regular file")}
	}
	if err == nil {
		err = lock(f)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.size = f, info.Size()
	return nil
}

// recover finds the last id, and moves a last line without an end away.
func (w *Writer) recover() (Recovery, error) {
	tail, whole, err := w.tail()
	if err != nil {
		return Recovery{}, fmt.Errorf("read the end: %w", err)
	}
	var r Recovery
	if len(tail) > 0 {
		if r.Torn, err = setAside(w.path, tail); err != nil {
			return r, fmt.Errorf("set the torn record aside: %w", err)
		}
		r.Bytes = int64(len(tail))
		if err := w.file.Truncate(w.size - r.Bytes); err != nil {
			return r, err
		}
		w.size -= r.Bytes
	}
	var last struct {
		ID uint64 `json:"id"`
	}
	if json.Unmarshal(whole, &last) == nil {
		w.lastID = last.ID
	}
	if w.lastID == 0 { // the file was begun just before, or ends with something else
		before, err := Before(w.path, math.MaxUint64, 1)
		if err != nil {
			return r, fmt.Errorf("find the last id: %w", err)
		}
		if len(before) > 0 {
			w.lastID = before[0].ID
		}
	}
	return r, nil
}

// tail returns the bytes behind the last line end, and the last whole line.
func (w *Writer) tail() (torn, last []byte, err error) {
	for n := int64(64 << 10); ; n *= 2 {
		begin := max(w.size-n, 0)
		text := make([]byte, w.size-begin)
		if _, err := io.ReadFull(io.NewSectionReader(w.file, begin, w.size-begin), text); err != nil {
			return nil, nil, err
		}
		// Two line ends make the last line known; a capture of one line has
		// only one.
		end := bytes.LastIndexByte(text, '\n')
		before := -1
		if end >= 0 {
			before = bytes.LastIndexByte(text[:end], '\n')
		}
		switch {
		case begin > 0 && before < 0 && n > maxRecord:
			return nil, nil, fmt.Errorf("its last line is longer than %d bytes: is it a capture?", maxRecord)
		case begin > 0 && before < 0:
			continue
		case end < 0:
			return text, nil, nil
		}
		return text[end+1:], text[before+1 : end], nil
	}
}

// setAside writes text to a new file beside path and returns its name.
func setAside(path string, text []byte) (string, error) {
	f, name, err := createBeside(path, ".torn")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return name, errors.Join(err, f.Close())
}

// maxBeside is how many names are tried, if others make files at the same time.
const maxBeside = 100

// createBeside makes a file with a name of its own: path, a number above those
// that there are, and the extension of path, with infix before the number.
func createBeside(path, infix string) (*os.File, string, error) {
	ext := filepath.Ext(path)
	beside, err := siblings(path, infix)
	if err != nil {
		return nil, "", err
	}
	next := 1
	if n := len(beside); n > 0 {
		next = beside[n-1].number + 1
	}
	for n := next; n < next+maxBeside; n++ {
		name := fmt.Sprintf("%s%s.%04d%s", strings.TrimSuffix(path, ext), infix, n, ext)
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode) //nolint:gosec // it is beside the capture that the user names
		if !errors.Is(err, fs.ErrExist) {
			return f, name, err
		}
	}
	return nil, "", fmt.Errorf("no name is free beside %s", path)
}

// A sibling is a file beside a capture, with a number in its name.
type sibling struct {
	name   string
	number int
}

// siblings returns the files beside a capture that [createBeside] made, in the
// order of their numbers.
func siblings(path, infix string) ([]sibling, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(path)
	prefix := strings.TrimSuffix(filepath.Base(path), ext) + infix + "."
	var found []sibling
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if ok {
			digits, ok = strings.CutSuffix(digits, ext)
		}
		const least = 4
		if !ok || len(digits) < least || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		if n, err := strconv.Atoi(digits); err == nil {
			found = append(found, sibling{filepath.Join(filepath.Dir(path), e.Name()), n})
		}
	}
	slices.SortFunc(found, func(a, b sibling) int { return a.number - b.number })
	return found, nil
}

// Files returns the files of a capture, the oldest first: those that rotation has
// given numbers, and path itself.
func Files(path string) []string {
	var files []string
	beside, _ := siblings(path, "") // a folder that cannot be read has none to name
	for _, s := range beside {
		files = append(files, s.name)
	}
	return append(files, path)
}

// LastID is the ID of the last record, or 0. A receiver that goes on with the
// next one has IDs that are unique in the capture.
func (w *Writer) LastID() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lastID
}

// Append writes the records of deliveries, which were, or will be, answered with
// their Status. When it fails, for example because the disk is full, none of them
// is in the capture, which is as it was before, and a later call may succeed.
func (w *Writer) Append(deliveries ...*webhook.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer = w.buffer[:0]
	for _, d := range deliveries {
		redacted := *d
		if !w.options.Secrets {
			redacted.Header = Redact(d.Header)
		}
		w.buffer = Append(w.buffer, &redacted, nil)
	}
	if err := w.write(w.buffer); err != nil {
		return err
	}
	for _, d := range deliveries {
		w.lastID = max(w.lastID, d.ID)
	}
	if cap(w.buffer) > maxBuffer {
		w.buffer = nil
	}
	return nil
}

// maxBuffer is how much memory is kept for the next call, in bytes.
const maxBuffer = 4 << 20

// write writes whole records, all or none.
func (w *Writer) write(records []byte) error {
	if w.closed {
		return os.ErrClosed
	}
	if w.file == nil { // a new file could not be begun, the last time
		if err := w.open(os.O_CREATE); err != nil {
			return err
		}
	}
	if w.options.Rotate > 0 && w.size > 0 && w.size+int64(len(records)) > w.options.Rotate {
		if err := w.rotate(); err != nil {
			return fmt.Errorf("begin a new file: %w", err)
		}
	}
	// What an earlier failure left behind has to go first: it would make
	// this record part of a broken line.
	if w.dirty {
		if err := w.file.Truncate(w.size); err != nil {
			return err
		}
		w.dirty = false
	}
	_, err := w.file.Write(records)
	if err == nil && w.options.Sync {
		err = w.file.Sync()
	}
	if err != nil {
		truncateErr := w.file.Truncate(w.size)
		w.dirty = truncateErr != nil
		return errors.Join(err, truncateErr)
	}
	w.size += int64(len(records))
	return nil
}

// secretHeaders are the header fields whose values are not recorded.
var secretHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// Redacted is what a record has instead of a secret.
const Redacted = "[redacted]"

// Redact returns the header as a record has it, without credentials. It returns
// header itself when there are none.
func Redact(header map[string][]string) map[string][]string {
	var copied map[string][]string
	for _, name := range secretHeaders {
		values := header[name]
		if len(values) == 0 {
			continue
		}
		if copied == nil {
			copied = make(map[string][]string, len(header))
			maps.Copy(copied, header)
		}
		copied[name] = make([]string, len(values))
		for i := range copied[name] {
			copied[name][i] = Redacted
		}
	}
	if copied == nil {
		return header
	}
	return copied
}

// rotate gives the file a name with a number and begins a new one.
func (w *Writer) rotate() error {
	if w.options.Sync {
		if err := w.file.Sync(); err != nil {
			return err
		}
	}
	f, name, err := createBeside(w.path, "")
	if err != nil {
		return err
	}
	// A file that is open cannot be renamed everywhere.
	err = errors.Join(f.Close(), w.file.Close())
	w.file = nil
	if err == nil {
		err = os.Rename(w.path, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return w.open(os.O_CREATE | os.O_EXCL)
}

// Close closes the capture, after its records are on the disk.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.file == nil {
		return nil
	}
	return errors.Join(w.file.Sync(), w.file.Close())
}
