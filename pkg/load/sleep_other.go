//go:build !linux

package load

import "time"

// preciseSleep has nothing to set here.
func preciseSleep() (restore func()) { return func() {} }

// nanosleep sleeps for about d.
func nanosleep(d time.Duration) { time.Sleep(d) }
