package report

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// A spool keeps text that can only be written later: in memory, and from some
// size on in a temporary file.
type spool struct {
	memory bytes.Buffer
	file   *os.File
	err    error // the first one
}

// maxSpool is how much is kept in memory, in bytes.
const maxSpool = 1 << 20

func (s *spool) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.file == nil && s.memory.Len()+len(p) > maxSpool {
		if s.file, s.err = os.CreateTemp("", "jc-webhooks-*"); s.err != nil {
			return 0, s.err
		}
		if _, s.err = s.memory.WriteTo(s.file); s.err != nil {
			return 0, s.err
		}
	}
	if s.file == nil {
		return s.memory.Write(p)
	}
	n, err := s.file.Write(p)
	s.err = err
	return n, err
}

// moveTo writes everything to w and forgets it.
func (s *spool) moveTo(w io.Writer) error {
	if s.file == nil {
		_, err := s.memory.WriteTo(w)
		return errors.Join(s.err, err)
	}
	if s.err == nil {
		_, s.err = s.file.Seek(0, io.SeekStart)
	}
	if s.err == nil {
		_, s.err = io.Copy(w, s.file)
	}
	err := errors.Join(s.err, s.file.Close(), os.Remove(s.file.Name()))
	*s = spool{}
	return err
}
