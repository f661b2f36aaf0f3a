package load

import (
	"encoding/json"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

// A Summary is what a run has measured. In JSON, times are in milliseconds.
type Summary struct {
	// Sent counts the requests that were completed or failed: the sum of
	// Statuses and of Errors without those that were canceled.
	Sent int64 `json:"sent"`

	// OK counts those with a 2xx, the only status that acknowledges.
	OK int64 `json:"ok"`

	// Dropped counts the slots that were due and never sent, because no
	// connection was free for as long as the timeout, or until [Grace] after
	// the end. Those that waited when the context was done are not counted.
	Dropped int64 `json:"dropped"`

	// WantedRate is [Options.Rate], 0 without one.
	WantedRate float64 `json:"wanted_rate"`

	// AchievedRate is Sent per second of the time in which requests were begun:
	// the time that is left for the last answers does not count.
	AchievedRate float64 `json:"achieved_rate"`

	// Duration is how long the run took, with the last answers.
	Duration time.Duration `json:"-"`

	// BytesSent counts the bytes of requests, with their heads.
	BytesSent int64 `json:"bytes_sent"`

	// Statuses counts the whole responses by their status.
	Statuses map[int]int64 `json:"statuses"`

	// Errors counts the requests without a whole response.
	Errors map[deliver.Class]int64 `json:"errors"`

	// Events counts by [Request.Event].
	Events map[string]EventCount `json:"events"`

	// Latency is the time from when a request was due until it was completed
	// or failed; without a rate, it is due when it begins.
	Latency Quantiles `json:"latency"`

	// Service is the same from when the request began.
	Service Quantiles `json:"service"`

	// Lateness is how late slots were given to a connection or, when none was
	// free, put into the line: what this program adds to the latency, and not
	// the server.
	Lateness Lateness `json:"lateness"`
}

// An EventCount counts the requests with one event.
type EventCount struct {
	Sent int64 `json:"sent"`
	OK   int64 `json:"ok"`
}

// Quantiles describe a distribution of times. They are right to three digits and a
// microsecond; Max and Mean are exact. All are 0 when there was nothing to measure.
type Quantiles struct {
	P50, P90, P99, P999, Max, Mean time.Duration
}

// Lateness is that of the slots of a run with a rate.
type Lateness struct {
	P50, P99 time.Duration
}

// MarshalJSON writes milliseconds.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50  float64 `json:"p50_ms"`
		P90  float64 `json:"p90_ms"`
		P99  float64 `json:"p99_ms"`
		P999 float64 `json:"p99_9_ms"`
		Max  float64 `json:"max_ms"`
		Mean float64 `json:"mean_ms"`
	}{milliseconds(q.P50), milliseconds(q.P90), milliseconds(q.P99), milliseconds(q.P999), milliseconds(q.Max), milliseconds(q.Mean)})
}

// MarshalJSON writes milliseconds.
func (l Lateness) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50 float64 `json:"p50_ms"`
		P99 float64 `json:"p99_ms"`
	}{milliseconds(l.P50), milliseconds(l.P99)})
}

// MarshalJSON writes milliseconds.
func (s Summary) MarshalJSON() ([]byte, error) {
	type plain Summary
	return json.Marshal(struct {
		plain
		Duration float64 `json:"duration_ms"`
	}{plain(s), milliseconds(s.Duration)})
}

// milliseconds has as many digits as a microsecond needs.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// summary merges what the workers measured. Nothing was due any more at stopped,
// and the run ended at elapsed.
func (r *run) summary(p *pacer, stopped, elapsed time.Duration) *Summary {
	s := &Summary{
		WantedRate: r.Rate, Duration: elapsed,
		Statuses: map[int]int64{}, Errors: map[deliver.Class]int64{}, Events: map[string]EventCount{},
	}
	// The samples of the first worker become those of all.
	latency, service := &r.workers[0].latency, &r.workers[0].service
	var lastSent time.Duration
	for i, w := range r.workers {
		s.Sent += w.sent.Load()
		s.OK += w.ok.Load()
		s.BytesSent += w.bytes
		lastSent = max(lastSent, w.lastSent)
		for status, n := range w.statuses {
			s.Statuses[status] += n
		}
		for class, n := range w.errors {
			s.Errors[class] += n
		}
		for event, n := range w.events {
			sum := s.Events[event]
			s.Events[event] = EventCount{sum.Sent + n.Sent, sum.OK + n.OK}
		}
		if i > 0 {
			latency.add(&w.latency)
			if r.queue != nil {
				service.add(&w.service)
			}
		}
	}
	s.Latency = latency.quantiles()
	s.Service = s.Latency
	sending := stopped
	if q := r.queue; q != nil {
		s.Service = service.quantiles()
		s.Dropped, _ = q.counts()
		s.Lateness = Lateness{quantile(p.lateness, 50), quantile(p.lateness, 99)}
		// A slot has the time until the next one.
		sending = max(q.schedule.due(q.released), lastSent)
	}
	if sending > 0 {
		s.AchievedRate = float64(s.Sent) / sending.Seconds()
	}
	return s
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtPercentile(percent))
}

func (s *sample) quantiles() Quantiles {
	n := s.histogram.TotalCount()
	if n == 0 {
		return Quantiles{}
	}
	at := func(percent float64) time.Duration { return min(quantile(s.histogram, percent), s.max) }
	return Quantiles{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: s.max, Mean: s.sum / time.Duration(n)}
}
