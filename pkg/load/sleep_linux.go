package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// preciseSleep makes the sleeps of this thread end when they should, instead of up
// to 50 µs later, and returns a function that takes it back.
func preciseSleep() (restore func()) {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) != nil {
		return func() {}
	}
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) } // it only saves power
}

// nanosleep sleeps for d or, after a signal, for less.
func nanosleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}
