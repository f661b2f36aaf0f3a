package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is the buffer that a pipe is given, in bytes: the most that Linux
// lets everybody have. With the usual 64 KiB, reader and writer spend their time
// waking each other.
const pipeSize = 1 << 20

// growPipe gives a pipe a larger buffer. On anything else it does nothing.
func growPipe(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) // it only makes things faster
		})
	}
}
