package capture

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// maxRecord is the longest record that is read, in bytes.
const maxRecord = 256 << 20

// A Reader reads the deliveries of a capture, in their order. Lines of another
// kind, such as the first one of listen --json, are passed over.
type Reader struct {
	src  *bufio.Reader
	line int
	part []byte // of a line whose end has not come yet
}

// NewReader returns a reader of the capture in src.
func NewReader(src io.Reader) *Reader { return &Reader{src: bufio.NewReaderSize(src, 64<<10)} }

// A RecordError is a line that is not a record. The lines after it can be read.
type RecordError struct {
	Line int // from 1
	Err  error
}

func (e *RecordError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *RecordError) Unwrap() error { return e.Err }

// errTorn is the error of a last line without an end.
var errTorn = errors.New("the record has no end, as after a crash")

// Line is the number of the line that was read last.
func (r *Reader) Line() int { return r.line }

// Next returns the next delivery. At the end of src the error is io.EOF; when src has grown since, Next goes on
// from there. A *[RecordError] is about one line.
func (r *Reader) Next() (*webhook.Delivery, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		r.line++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		d, err := decode(line)
		if err != nil {
			return nil, &RecordError{r.line, err}
		}
		if d != nil {
			return d, nil
		}
	}
}

// Torn returns the error of a last line without an end, if there is one, after
// Next has returned io.EOF.
func (r *Reader) Torn() error {
	if len(bytes.TrimSpace(r.part)) == 0 {
		return nil
	}
	return &RecordError{r.line + 1, errTorn}
}

// readLine returns a whole line. What it has of one without an end it keeps.
func (r *Reader) readLine() ([]byte, error) {
	for {
		text, err := r.src.ReadSlice('\n')
		r.part = append(r.part, text...)
		switch {
		case err == nil:
			line := r.part
			r.part = nil
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(r.part) > maxRecord:
			return nil, fmt.Errorf("line %d is longer than %d bytes", r.line+1, maxRecord)
		}
	}
}

// decode reads a record; it returns nil for a line of another kind.
func decode(line []byte) (*webhook.Delivery, error) {
	var rec struct {
		V        *int                `json:"v"`
		Kind     string              `json:"kind"`
		ID       uint64              `json:"id"`
		Received time.Time           `json:"received"`
		Remote   string              `json:"remote"`
		Method   string              `json:"method"`
		URL      string              `json:"url"`
		Header   map[string][]string `json:"header"`
		Status   int                 `json:"status"`
		Body     *string             `json:"body"`
		Base64   *string             `json:"body_base64"`
	}
	if err := json.Unmarshal(line, &rec); err != nil {
		return nil, err
	}
	switch {
	case rec.V == nil || rec.Kind == "":
		return nil, errors.New("not a record of a capture")
	case *rec.V != Version:
		return nil, otherVersion(*rec.V)
	case rec.Kind != KindDelivery:
		return nil, nil
	}
	d := &webhook.Delivery{
		ID: rec.ID, Received: rec.Received, RemoteAddr: rec.Remote, Method: rec.Method, URL: rec.URL, Header: rec.Header, Status: rec.Status,
	}
	switch {
	case rec.Body != nil:
		d.Body = []byte(*rec.Body)
	case rec.Base64 != nil:
		body, err := base64.StdEncoding.DecodeString(*rec.Base64)
		if err != nil {
			return nil, fmt.Errorf("the body: %w", err)
		}
		d.Body = body
	default:
		return nil, errNoBody
	}
	return d, nil
}
