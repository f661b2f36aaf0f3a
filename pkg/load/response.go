package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxHead bounds the status line and the header of a response, with those of the
// interim responses before it and the trailer behind it, in bytes.
const maxHead = 256 << 10

var (
	errHead    = fmt.Errorf("the header of the response is longer than %d bytes", maxHead)
	errLine    = errors.New("the response has a line without a colon in its header")
	errFolded  = errors.New("the response has a Content-Length or Transfer-Encoding of more than one line, or a very long one")
	errStatus  = errors.New("the response does not begin with an HTTP status line")
	errLength  = errors.New("the response has a Content-Length that cannot be read")
	errCoding  = errors.New("the response has a Transfer-Encoding other than chunked")
	errChunk   = errors.New("the response has a chunk that cannot be read")
	errInterim = errors.New("the response has too many interim responses before it")
)

// maxInterim is how many responses 1xx are skipped.
const maxInterim = 16

// A response is the head of one.
type response struct {
	status      int
	old         bool  // before HTTP/1.1
	length      int64 // -1: not given
	codings     int   // fields Transfer-Encoding
	chunked     bool
	close, keep bool // what Connection says
}

// readResponse reads one response (RFC 9112) with its body, which is thrown away,
// and returns its status and whether the connection can be used for another one.
// It reads no byte behind the end of the response, except into r's buffer, and
// allocates nothing. Interim responses are skipped; a body longer than
// [MaxResponse] is left unread. When r ends too early the error is io.EOF or
// io.ErrUnexpectedEOF.
func readResponse(r *bufio.Reader) (status int, reuse bool, err error) {
	left := maxHead
	var h response
	for n := 0; ; n++ {
		if n > maxInterim {
			return 0, false, errInterim
		}
		h = response{length: -1}
		err = h.read(r, &left)
		if err != nil {
			return 0, false, err
		}
		if h.status/100 != 1 || h.status == 101 {
			break
		}
	}
	if h.codings > 0 && !h.old && (h.codings > 1 || !h.chunked) {
		return 0, false, errCoding
	}
	reuse = !h.close && (!h.old || h.keep) && h.status != 101
	switch {
	case h.status/100 == 1, h.status == 204, h.status == 304:
	case h.chunked && !h.old:
		var all bool
		if all, err = discardChunks(r, &left); err != nil {
			return 0, false, err
		}
		reuse = reuse && all
	case h.length > MaxResponse:
		reuse = false
		_, err = r.Discard(MaxResponse)
	case h.length >= 0:
		_, err = r.Discard(int(h.length))
	default:
		reuse = false
		if _, err = r.Discard(MaxResponse); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return h.status, reuse && err == nil, err
}

// read reads the status line and the header.
func (h *response) read(r *bufio.Reader, left *int) error {
	line, err := readLine(r, left)
	if err != nil {
		return err
	}
	err = h.readStatus(line)
	if err != nil {
		return err
	}
	last := other
	for first := true; ; first = false {
		line, err = readLine(r, left)
		whole := !errors.Is(err, bufio.ErrBufferFull)
		if err != nil && whole {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		folded := line[0] == ' ' || line[0] == '\t' // the field before goes on
		switch {
		case folded && first:
			return errLine
		case !folded:
			if last, err = h.readField(line); err != nil {
				return err
			}
		}
		if folded || !whole {
			switch last {
			case framing:
				return errFolded
			case connection:
				h.close = true // to be sure
			}
		}
		for !whole {
			_, err = readLine(r, left)
			if whole = !errors.Is(err, bufio.ErrBufferFull); whole && err != nil {
				return err
			}
		}
	}
}

// readStatus reads "HTTP/1.1 200 OK".
func (h *response) readStatus(line []byte) error {
	const proto = "HTTP/1."
	if len(line) < len(proto)+2 || string(line[:len(proto)]) != proto || !isDigit(line[len(proto)]) || line[len(proto)+1] != ' ' {
		return errStatus
	}
	h.old = line[len(proto)] == '0'
	line = bytes.TrimLeft(line[len(proto)+1:], " ")
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' || !isDigit(line[0]) || !isDigit(line[1]) || !isDigit(line[2]) {
		return errStatus
	}
	h.status = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	return nil
}

// A kind is what a field of the header is about.
type kind int

const (
	other      kind = iota
	framing         // where the body ends
	connection      // whether the connection does
)

// readField reads a field of the header.
func (h *response) readField(line []byte) (kind, error) {
	name, value, ok := bytes.Cut(line, colon)
	if !ok {
		return other, errLine
	}
	switch {
	case isField(name, "content-length"):
		length, ok := parseLength(bytes.Trim(value, " \t"))
		if !ok || h.length >= 0 && h.length != length {
			return framing, errLength
		}
		h.length = length
		return framing, nil
	case isField(name, "transfer-encoding"):
		h.codings++
		h.chunked = isField(bytes.Trim(value, " \t"), "chunked")
		return framing, nil
	case isField(name, "connection"):
		for len(value) > 0 {
			var token []byte
			token, value, _ = bytes.Cut(value, comma)
			token = bytes.Trim(token, " \t")
			h.close = h.close || isField(token, "close")
			h.keep = h.keep || isField(token, "keep-alive")
		}
		return connection, nil
	}
	return other, nil
}

var (
	colon = []byte(":")
	comma = []byte(",")
)

// isField reports whether text is lower, which has no capitals.
func isField(text []byte, lower string) bool {
	if len(text) != len(lower) {
		return false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseLength reads digits, and nothing else.
func parseLength(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if !isDigit(c) || n > (1<<63-10)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}

// readLine returns a line without its end, valid until the next read. One that does
// not fit into the buffer is returned up to there with bufio.ErrBufferFull.
func readLine(r *bufio.Reader, left *int) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if *left -= len(line); *left < 0 {
		return nil, errHead
	}
	if err != nil {
		return line, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// discardChunks reads a chunked body and its trailer. It reports whether that was
// all, or the rest was left because the body is too long.
func discardChunks(r *bufio.Reader, left *int) (all bool, err error) {
	for total := int64(0); ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errChunk
			}
			return false, err
		}
		size, ok := parseChunk(line)
		if !ok {
			return false, errChunk
		}
		if size == 0 {
			return true, discardTrailer(r, left)
		}
		// A chunk has its cost, so that many little ones are not endless either.
		if total += size + int64(len(line)); total > MaxResponse {
			return false, nil
		}
		if _, err = r.Discard(int(size)); err != nil {
			return false, err
		}
		end, err := r.Peek(2)
		if err != nil {
			return false, err
		}
		if end[0] != '\r' || end[1] != '\n' {
			return false, errChunk
		}
		_, _ = r.Discard(2) // they are in the buffer
	}
}

// parseChunk reads the line before a chunk: its size in hexadecimal digits, and
// extensions, which mean nothing. A size that is beyond all bounds is cut.
func parseChunk(line []byte) (size int64, ok bool) {
	n := len(line)
	if n < 3 || bytes.IndexByte(line, '\r') != n-2 {
		return 0, false
	}
	line = line[:n-2]
	if semicolon := bytes.IndexByte(line, ';'); semicolon >= 0 {
		line = line[:semicolon]
	}
	line = bytes.TrimRight(line, " \t")
	for _, c := range line {
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		size = min(size<<4|int64(c), 1<<40)
	}
	return size, len(line) > 0 && len(line) <= 16
}

// discardTrailer reads the fields behind the last chunk.
func discardTrailer(r *bufio.Reader, left *int) error {
	for begin := true; ; {
		line, err := readLine(r, left)
		whole := !errors.Is(err, bufio.ErrBufferFull)
		if err != nil && whole {
			return err
		}
		if begin && whole && len(line) == 0 {
			return nil
		}
		begin = whole
	}
}
