package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadResponse(t *testing.T) {
	long := strings.Repeat("x", 3*readBuffer)
	tests := []struct {
		name, in string
		status   int // 0: an error
		reuse    bool
		rest     string // behind the response
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", 200, true, "HTTP"},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, true, ""},
		{"any case", "HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:3 \r\n\r\nabc", 200, true, ""},
		{"line feeds", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", 200, true, ""},
		{"same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, true, ""},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 0, false, ""},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabcd", 0, false, ""},
		{"endless length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabcd", 0, false, ""},
		{"too short", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0, false, ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\nHTTP", 204, true, "HTTP"},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP", 304, true, "HTTP"},
		{"until the end", "HTTP/1.1 500 Oops\r\n\r\nabc", 500, false, ""},
		{"closes", "HTTP/1.1 200 OK\r\nConnection: x , Close\r\nContent-Length: 0\r\n\r\n", 200, false, ""},
		{"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, false, ""},
		{"1.0 keeps", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", 200, true, ""},
		{"1.0 knows no chunks", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 200, false, ""},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, true, ""},
		{"interim without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), 0, false, ""},
		{"only interim", "HTTP/1.1 100 Continue\r\n\r\n", 0, false, ""},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\nabc", 101, false, "abc"},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nHTTP", 200, true, "HTTP"},
		{"chunked beats length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nHTTP", 200, true, "HTTP"},
		{"trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\nHTTP", 200, true, "HTTP"},
		{"no chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", 0, false, ""},
		{"chunk without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 0, false, ""},
		{"chunk cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", 0, false, ""},
		{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", 0, false, ""},
		{"endless chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", 200, false, "abc"},
		{"gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0, false, ""},
		{"gzip and chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 0, false, ""},
		{"long field", "HTTP/1.1 200 OK\r\nX: " + long + "\r\nContent-Length: 0\r\n\r\nHTTP", 200, true, "HTTP"},
		{"long trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + long + "\r\n\r\nHTTP", 200, true, "HTTP"},
		{"long length", "HTTP/1.1 200 OK\r\nContent-Length: " + strings.Repeat("0", len(long)) + "\r\n\r\n", 0, false, ""},
		{"long status", "HTTP/1.1 200 " + long + "\r\n\r\n", 0, false, ""},
		{"long header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHead/5), 0, false, ""},
		{"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\nHTTP", 200, true, "HTTP"},
		{"folded connection", "HTTP/1.1 200 OK\r\nConnection: x,\r\n close\r\nContent-Length: 0\r\n\r\nHTTP", 200, false, "HTTP"},
		{"another version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 0, false, ""},
		{"folded length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n", 0, false, ""},
		{"folded at once", "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", 0, false, ""},
		{"no colon", "HTTP/1.1 200 OK\r\nabc\r\n\r\n", 0, false, ""},
		{"nothing", "", 0, false, ""},
		{"not HTTP", "SSH-2.0-x\r\n\r\n", 0, false, ""},
		{"no status", "HTTP/1.1 OK\r\n\r\n", 0, false, ""},
		{"long number", "HTTP/1.1 2000 OK\r\n\r\n", 0, false, ""},
		{"header cut", "HTTP/1.1 200 OK\r\nA: ", 0, false, ""},
	}
	for _, tt := range tests {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "by byte": iotest.OneByteReader} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				r := bufio.NewReaderSize(wrap(strings.NewReader(tt.in)), readBuffer)
				status, reuse, err := readResponse(r)
				if tt.status == 0 {
					if err == nil || reuse {
						t.Fatalf("got %d, %v, want an error", status, reuse)
					}
					return
				}
				if err != nil || status != tt.status || reuse != tt.reuse {
					t.Fatalf("got %d, %v, %v, want %d, %v", status, reuse, err, tt.status, tt.reuse)
				}
				if rest, _ := io.ReadAll(r); string(rest) != tt.rest {
					t.Errorf("%q is left, want %q", rest, tt.rest)
				}
			})
		}
	}
}

func TestReadResponseAllocates(t *testing.T) {
	const text = "HTTP/1.1 200 OK\r\nDate: Mon\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"
	source := strings.NewReader("")
	r := bufio.NewReader(source)
	n := testing.AllocsPerRun(100, func() {
		source.Reset(text)
		r.Reset(source)
		if _, reuse, err := readResponse(r); err != nil || !reuse {
			t.Fatal(reuse, err)
		}
	})
	if n > 0 {
		t.Errorf("a response costs %v allocations", n)
	}
}

// folded matches fields of more than one line.
var folded = regexp.MustCompile(`\n[ \t]`)

// errSkipped is that of a response of which no opinion is asked.
var errSkipped = errors.New("skipped")

// standard reads with package http what readResponse reads, and says how much that
// was.
func standard(in []byte) (status, length int, err error) {
	source := bytes.NewReader(in)
	r := bufio.NewReaderSize(source, readBuffer)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return 0, 0, err
		}
		if _, err = io.Copy(io.Discard, resp.Body); err != nil {
			return 0, 0, err
		}
		if sign := resp.Status[0]; sign == '-' || sign == '+' {
			return 0, 0, errSkipped // it takes a sign for a part of a number
		}
		if status = resp.StatusCode; status/100 != 1 || status == http.StatusSwitchingProtocols {
			return status, len(in) - source.Len() - r.Buffered(), nil
		}
	}
}

// FuzzReadResponse holds that readResponse and package http agree about the status
// and the end of responses that package http can read, and that nothing behind the
// end is needed to find it.
func FuzzReadResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		source := bytes.NewReader(in)
		r := bufio.NewReaderSize(source, readBuffer)
		status, reuse, err := readResponse(r)
		length := len(in) - source.Len() - r.Buffered()
		if err != nil && reuse {
			t.Fatal("a connection is used again after an error")
		}
		if err == nil && (status < 0 || status > 999) {
			t.Fatalf("the status is %d", status)
		}
		if len(in) > readBuffer {
			return // longer lines than those that are understood
		}
		wantStatus, wantLength, wantErr := standard(in)
		switch {
		case wantErr != nil:
			return
		case err != nil && (errors.Is(err, errInterim) || !bytes.HasPrefix(in, []byte("HTTP/1.")) || folded.Match(in)):
			return // it is stricter on purpose
		case err != nil:
			t.Fatalf("%v, but package http reads %d in %d bytes", err, wantStatus, wantLength)
		case status != wantStatus || length != wantLength:
			t.Fatalf("got %d in %d bytes, and package http %d in %d", status, length, wantStatus, wantLength)
		}
		if reuse {
			r.Reset(bytes.NewReader(in[:length]))
			if again, reuse, err := readResponse(r); again != status || !reuse || err != nil {
				t.Fatalf("without what follows: %d, %v, %v", again, reuse, err)
			}
		}
	})
}
