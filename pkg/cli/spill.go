package cli

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A spill keeps the deliveries that wait to be printed, and do not fit into
// memory, in a temporary file. It is made when the first one comes, and has no
// name where the system allows that.
type spill struct {
	file    *os.File
	size    atomic.Int64 // of the whole records in file
	at      int64        // how far records has read
	records *capture.Reader
	buffer  []byte
}

// How much is taken back at a time.
const (
	spillBatch = 256     // deliveries
	spillBytes = 4 << 20 // of bodies, and one more
)

// Put appends a delivery. When it fails, the file is as if it had not been
// called.
func (s *spill) Put(d *webhook.Delivery) error {
	if s.file == nil {
		f, err := os.CreateTemp("", program+"-*.ndjson")
		if err != nil {
			return err
		}
		if runtime.GOOS != "windows" {
			_ = os.Remove(f.Name()) // else it is removed at the end
		}
		s.file, s.records = f, capture.NewReader(s)
	}
	s.buffer = capture.Append(s.buffer[:0], d, nil)
	_, err := s.file.WriteAt(s.buffer, s.size.Load())
	if err == nil {
		s.size.Add(int64(len(s.buffer)))
	}
	return err
}

// Read reads the records, for Take.
func (s *spill) Read(p []byte) (int, error) {
	left := s.size.Load() - s.at
	if left == 0 {
		return 0, io.EOF
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), left)], s.at)
	s.at += int64(n)
	return n, err
}

// Take returns deliveries from the beginning.
func (s *spill) Take() ([]*webhook.Delivery, error) {
	var batch []*webhook.Delivery
	for bytes := 0; len(batch) < spillBatch && bytes < spillBytes; {
		d, err := s.records.Next()
		if errors.Is(err, io.EOF) && len(batch) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		d.Received = d.Received.Local() // it is read back in UTC
		bytes += len(d.Body)
		batch = append(batch, d)
	}
	return batch, nil
}

// Reset empties the file.
func (s *spill) Reset() error {
	s.at = 0
	s.size.Store(0)
	s.records = capture.NewReader(s)
	return s.file.Truncate(0)
}

// Close removes the file.
func (s *spill) Close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close() // nobody wants what is in it
	if runtime.GOOS == "windows" {
		_ = os.Remove(s.file.Name())
	}
}
