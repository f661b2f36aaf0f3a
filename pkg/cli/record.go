package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// openCapture opens the capture of --record; it is nil when there is none.
func (a *app) openCapture(o *listenOptions) (*capture.Writer, error) {
	if o.record == "" {
		for name, given := range map[string]bool{"fsync": o.capture.Sync, "record-secrets": o.capture.Secrets, "rotate": o.rotate > 0} {
			if given && !(o.asJSON && name == "record-secrets") {
				return nil, usage("name a file with --record", "--%s is about a capture, and there is none", name)
			}
		}
		return nil, nil
	}
	o.capture.Rotate = int64(o.rotate)
	w, recovery, err := capture.Create(o.record, o.capture)
	switch {
	case errors.Is(err, capture.ErrLocked):
		return nil, usage("record to another file, or end the other one", "open capture %s: %w", o.record, err)
	case err != nil:
		return nil, usage("", "open capture %s: %w", o.record, report.Cause(err))
	}
	if recovery.Torn != "" {
		a.say("%s the last record of %s had no end, as after a crash: its %s were moved to %s",
			a.err.Note("warning:"), o.record, report.Size(recovery.Bytes), recovery.Torn)
	}
	return w, nil
}

// recordTo returns what records. It says when it begins to fail and when it works
// again, and not for each delivery; fails says which of both it is.
func (a *app) recordTo(w *capture.Writer, fails *atomic.Bool) func([]*webhook.Delivery) error {
	return func(deliveries []*webhook.Delivery) error {
		err := w.Append(deliveries...)
		switch failing := fails.Load(); {
		case err != nil && !failing:
			fails.Store(true)
			a.complain(fmt.Errorf("record: %w", report.Cause(err)), "deliveries are answered with 503 until there is room again")
		case err == nil && failing:
			fails.Store(false)
			a.say("%s deliveries are recorded again", a.err.Good("ok:"))
		}
		return err
	}
}

// acknowledged reports whether a delivery was, or will be, answered with 2xx.
func acknowledged(d *webhook.Delivery) bool { return d.Status/100 == 2 }

// A byteSize is a flag for a number of bytes: 4096, 100kB, 10MB, 1GiB.
type byteSize int64

func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

// Type is what help shows for the value.
func (*byteSize) Type() string { return "size" }

var units = []struct {
	name   string
	factor int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1},
}

// Set reads a size.
func (b *byteSize) Set(text string) error {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, u := range units {
		digits, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n > 0 && n <= (1<<62)/u.factor {
			*b = byteSize(n * u.factor)
			return nil
		}
		break
	}
	return errors.New("want a size above 0, such as 100MB")
}
