// Package inspect serves a page on which deliveries are watched as they arrive,
// looked into, and sent on once more.
//
// It must not judge, deliver or find words: what is shown of a delivery is given
// to it, and what is asked of one is done by functions that it was given. It
// answers nobody but a browser on this machine that was sent to the page itself:
// see guard.go.
package inspect

import (
	"context"
	"embed"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

//go:embed page
var page embed.FS

// How much is kept in memory.
const (
	// MaxDeliveries is how many deliveries are shown.
	MaxDeliveries = 10_000

	// MaxBytes is how much their bodies and header fields may take together;
	// of the oldest ones only the line in the list is left.
	MaxBytes = 64 << 20

	maxForwards = 20     // of one delivery
	maxChanges  = 20_000 // that a page may have missed
)

// A State is what a page has to know of the listener.
type State struct {
	Version   string   `json:"version"`
	Listening string   `json:"listening"` // the URL on which deliveries arrive
	Targets   []string `json:"targets"`   // to which deliveries can be sent on
	Capture   string   `json:"capture"`   // where older deliveries are, or empty
}

// An Entry is a line of the list.
type Entry struct {
	ID        uint64     `json:"id"`
	Received  time.Time  `json:"received"`
	Method    string     `json:"method"`
	URL       string     `json:"url"`
	Event     string     `json:"event"`
	Summary   string     `json:"summary"`
	Verdict   string     `json:"verdict"`
	Level     Level      `json:"level"`
	Signature *Signature `json:"signature"`
	Status    int        `json:"status"` // that was answered; 0 for none
	Size      int        `json:"size"`   // of the body, in bytes
	Forwards  []Forward  `json:"forwards"`
}

// A Level says how bad a verdict is.
type Level string

// The levels of verdicts.
const (
	Good Level = "good"
	Warn Level = "warn"
	Bad  Level = "bad"
	None Level = "none" // a probe, which has no verdict
)

// A Signature is what was found about one.
type Signature struct {
	State string `json:"state"`
	Text  string `json:"text"`
}

// A Forward is what came of sending a delivery on.
type Forward struct {
	Target    int       `json:"target"` // its index in the targets
	URL       string    `json:"url"`
	Replay    bool      `json:"replay"` // asked for on the page
	Edited    bool      `json:"edited"`
	Time      time.Time `json:"time"`
	OK        bool      `json:"ok"`
	Outcome   string    `json:"outcome"`
	Status    int       `json:"status"`
	LatencyMS float64   `json:"latency_ms"`
	Body      string    `json:"body"` // the beginning of the response
	Error     string    `json:"error"`
	Note      string    `json:"note"`
}

// A Problem is one with a payload, at its place in what is shown.
type Problem struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Pointer  string `json:"pointer"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Length   int    `json:"length"` // in code points, as Column
}

// A Fixture is a delivery as a file.
type Fixture struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A Detail is everything that is shown of one delivery.
type Detail struct {
	Entry     Entry               `json:"entry"`
	Remote    string              `json:"remote"`
	Header    map[string][]string `json:"header"`
	Raw       string              `json:"raw"`
	Binary    bool                `json:"binary"`    // Raw is a dump of bytes
	Truncated bool                `json:"truncated"` // Raw is only the beginning
	Pretty    string              `json:"pretty"`    // empty when the body is not JSON
	Problems  []Problem           `json:"problems"`
	Summary   [][2]string         `json:"summary"`
	Curl      string              `json:"curl"`
	Send      string              `json:"send"`
	Fixture   *Fixture            `json:"fixture"`
}

// Options are what a [Server] is given.
type Options struct {
	State State

	// Entry returns the line of a delivery that was read from the capture.
	Entry func(*webhook.Delivery) Entry

	// Detail returns what is shown of a delivery, but for its entry.
	Detail func(*webhook.Delivery) Detail

	// Older returns up to n deliveries with IDs below before, in their order.
	// Nil when there is no capture.
	Older func(before uint64, n int) ([]*webhook.Delivery, error)

	// Replay sends a delivery to the target with that index. Nil when there
	// are no targets.
	Replay func(ctx context.Context, d *webhook.Delivery, target int, edited bool) Forward
}
