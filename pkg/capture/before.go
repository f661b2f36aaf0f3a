package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Before returns the last n deliveries of the capture at path whose IDs are below
// id, in their order; fewer when there are no more. It looks into the files that
// were begun before by rotation too, and finds its place in each without reading
// all of it, so the IDs must ascend, as those of a [Writer] do. The Status of
// each delivery is that with which it was answered.
func Before(path string, id uint64, n int) ([]*webhook.Delivery, error) {
	var found []*webhook.Delivery
	for _, file := range slices.Backward(Files(path)) {
		if len(found) >= n {
			break
		}
		part, err := beforeIn(file, id, n-len(found))
		if err != nil && !errors.Is(err, os.ErrNotExist) { // rotated just now
			return nil, err
		}
		found = append(part, found...)
	}
	return found, nil
}

func beforeIn(path string, id uint64, n int) ([]*webhook.Delivery, error) {
	f, err := os.Open(path) //nolint:gosec // the capture, or a file that was rotated
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// What begins before low is wanted, what begins at high or after is not.
	low, high := int64(0), info.Size()
	for low < high {
		middle := low + (high-low)/2
		rec, err := recordAfter(f, middle)
		switch {
		case err != nil:
			return nil, err
		case rec == nil || rec.begin >= high || rec.id >= id:
			high = middle
		default:
			low = rec.end
		}
	}
	for chunk := int64(64 << 10); ; chunk *= 4 {
		begin := max(low-chunk, 0)
		part, err := between(f, begin, low)
		if err != nil {
			return nil, err
		}
		if len(part) >= n || begin == 0 {
			return part[max(len(part)-n, 0):], nil
		}
	}
}

// A place is where a record is.
type place struct {
	id         uint64
	begin, end int64
}

// recordAfter finds the first whole record that begins at or after offset; it is
// nil when there is none.
func recordAfter(f *os.File, offset int64) (*place, error) {
	r := lines{src: f, at: offset}
	if err := r.align(); err != nil {
		return nil, noEnd(err)
	}
	for {
		begin := r.at
		line, err := r.next()
		if err != nil {
			return nil, noEnd(err)
		}
		var rec struct {
			Kind string `json:"kind"`
			ID   uint64 `json:"id"`
		}
		if json.Unmarshal(line, &rec) == nil && rec.Kind == KindDelivery {
			return &place{rec.ID, begin, r.at}, nil
		}
	}
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// lines reads lines from a place on.
type lines struct {
	src io.ReaderAt
	at  int64
}

// align goes to the first line that begins here or later.
func (l *lines) align() error {
	if l.at == 0 {
		return nil
	}
	l.at--
	_, err := l.next()
	return err
}

// next returns the next line with its end. A last one without an end is none.
func (l *lines) next() ([]byte, error) {
	var line []byte
	buffer := make([]byte, 4<<10)
	for {
		n, err := l.src.ReadAt(buffer, l.at)
		if end := bytes.IndexByte(buffer[:n], '\n'); end >= 0 {
			l.at += int64(end) + 1
			return append(line, buffer[:end+1]...), nil
		}
		line = append(line, buffer[:n]...)
		l.at += int64(n)
		if err != nil {
			return nil, err
		}
		if len(line) > maxRecord {
			return nil, io.EOF
		}
		buffer = make([]byte, min(2*len(buffer), 1<<20))
	}
}

// between returns the deliveries of the lines that begin after one offset and end
// before another. Lines that are no records are passed over.
func between(f *os.File, begin, end int64) ([]*webhook.Delivery, error) {
	r := lines{src: io.NewSectionReader(f, 0, end), at: begin}
	if err := r.align(); err != nil {
		return nil, noEnd(err)
	}
	var found []*webhook.Delivery
	for {
		line, err := r.next()
		if err != nil {
			return found, noEnd(err)
		}
		d, err := decode(line)
		if err == nil && d != nil {
			found = append(found, d)
		}
	}
}
