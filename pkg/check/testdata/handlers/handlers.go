// Package handlers has a handler of webhooks that copes, and others that are each
// wrong in one way, as published ones are. They are what the checks are proved on.
package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
)

// Secret is what the handlers verify with, when they are asked to.
const Secret = "the secret of the handlers"

// Wrong maps the name of each wrong handler to the check that it fails.
var Wrong = map[string]string{
	"fails-one":         "events/sms.sent",
	"slow-one":          "events/call.completed",
	"redirects-one":     "events/contact.created",
	"null":              "payloads/null-fields",
	"missing":           "payloads/missing-fields",
	"strict":            "payloads/unknown-fields",
	"unknown-event":     "payloads/unknown-event",
	"emoji":             "payloads/text",
	"duplicate":         "deliveries/duplicate",
	"order":             "deliveries/out-of-order",
	"lock":              "deliveries/at-once",
	"race":              "deliveries/same-at-once",
	"books-twice":       "deliveries/duplicate-effect",
	"books-race":        "deliveries/duplicate-effect",
	"get":               "probes/get",
	"head":              "probes/head",
	"empty-post":        "probes/empty-post",
	"malformed":         "bodies/malformed-json",
	"array":             "bodies/not-an-event",
	"empty-hangs":       "bodies/empty-body",
	"large":             "bodies/large-body",
	"deep":              "bodies/deep-json",
	"content-type":      "bodies/content-type",
	"closes":            "connections/keep-alive",
	"impatient":         "connections/slow-client",
	"one-at-a-time":     "connections/stuck-client",
	"no-check":          "signature/wrong-key",
	"refuses-500":       "signature/wrong-key",
	"refuses-429":       "signature/wrong-key",
	"hmac-body":         "signature/accepted",
	"local-time":        "signature/accepted",
	"header-missing":    "signature/missing-headers",
	"unequal-lengths":   "signature/malformed",
	"timestamp-crashes": "signature/malformed-timestamp",
	"stale":             "signature/stale",
	"any-version":       "signature/other-version",
	"several-urls":      "signature/other-url",
	"url-from-body":     "signature/url-from-body",
	"url-from-host":     "signature/url-from-header",
}

// A Handler handles webhooks. Its zero value copes with everything, but for
// signatures, which it does not look at.
type Handler struct {
	Wrong  string // in which way; empty for none
	Secret string // to verify with; empty to verify nothing
	URL    string // the registered URL

	mu     sync.Mutex
	booked int
	known  map[string]string // what was done, and what of: by key and by id
	busy   map[string]bool
	slow   sync.Mutex
	under  atomic.Int32 // how many requests are being handled
}

// Booked is how many events the handler has worked on.
func (h *Handler) Booked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.booked
}

// payload is what the handler reads of a body.
type payload struct {
	Event      string `json:"event"`
	Timestamp  string `json:"timestamp"`
	WebhookURL string `json:"webhook_url"`
	Data       map[string]json.RawMessage
}

// fields are what a strict handler knows.
var fields = strings.Fields(`call_id message_id contact_id direction from to agent_id agent_name duration ring_duration status recording_url notes
	disposition body media_url delivered_at transcription changed_fields first_name last_name phone email company source`)

// Limits of the handler that copes.
const (
	maxBody  = 512 << 10
	maxWait  = 10 * time.Second
	tolerant = 5 * time.Minute
)

func (h *Handler) is(wrong string) bool { return h.Wrong == wrong }

// ServeHTTP handles a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.under.Add(1)
	defer h.under.Add(-1)
	answer := func(code int) { w.WriteHeader(code) }
	if r.Method != http.MethodPost {
		switch {
		case h.is("get") && r.Method == http.MethodGet, h.is("head") && r.Method == http.MethodHead:
			answer(http.StatusInternalServerError)
		case r.Method == http.MethodHead || r.Method == http.MethodGet:
			answer(http.StatusOK)
		default:
			answer(http.StatusMethodNotAllowed)
		}
		return
	}
	if h.is("one-at-a-time") {
		h.slow.Lock()
		defer h.slow.Unlock()
	}
	wait := maxWait
	if h.is("impatient") {
		wait = 200 * time.Millisecond
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(wait))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if err != nil {
		var large *http.MaxBytesError
		switch {
		case !errors.As(err, &large):
			answer(http.StatusRequestTimeout)
		case h.is("large"):
			answer(http.StatusInternalServerError)
		default:
			answer(http.StatusRequestEntityTooLarge)
		}
		return
	}
	code := h.handle(r, body)
	switch {
	case code == http.StatusMovedPermanently:
		w.Header().Set("Location", "/moved")
	case h.is("closes"):
		closeSilently(w, code)
		return
	}
	answer(code)
	fmt.Fprintln(w, http.StatusText(code))
}

// closeSilently answers, and closes the connection without having said so.
func closeSilently(w http.ResponseWriter, code int) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", code, http.StatusText(code))
	_ = conn.Close()
}

// handle returns the status of the answer.
func (h *Handler) handle(r *http.Request, body []byte) int {
	isJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	switch {
	case len(body) == 0 && h.is("empty-hangs") && isJSON:
		<-r.Context().Done()
	case len(body) == 0 && h.is("empty-post") && !isJSON:
		return http.StatusInternalServerError
	case len(body) > 0 && h.is("content-type") && !isJSON:
		return http.StatusInternalServerError
	case len(body) > 0 && h.is("malformed") && !json.Valid(body):
		return http.StatusInternalServerError
	case h.is("array") && json.Valid(body) && body[0] == '[':
		return http.StatusInternalServerError
	case h.is("deep") && strings.Contains(string(body), strings.Repeat("[", 1000)):
		return http.StatusInternalServerError
	case h.is("emoji") && (strings.Contains(string(body), "👩") || strings.Contains(string(body), `\ud83d`)):
		return http.StatusInternalServerError
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil || p.Event == "" {
		return http.StatusBadRequest
	}
	if h.Secret != "" {
		if code := h.verify(r, &p, body); code != http.StatusOK {
			return code
		}
	}
	return h.work(r, &p)
}

// work does what an event is for.
func (h *Handler) work(r *http.Request, p *payload) int {
	has := func(name string) bool { return p.Data[name] != nil }
	null := func(name string) bool { return string(p.Data[name]) == "null" }
	switch {
	case h.is("fails-one") && p.Event == "sms.sent", h.is("null") && p.Event == "call.completed" && null("agent_id"),
		h.is("missing") && p.Event == "call.completed" && !has("notes"):
		return http.StatusInternalServerError
	case h.is("redirects-one") && p.Event == "contact.created":
		return http.StatusMovedPermanently
	case h.is("slow-one") && p.Event == "call.completed":
		<-r.Context().Done()
	case h.is("unknown-event") && strings.Contains(p.Event, "added"):
		return http.StatusBadRequest
	case h.is("strict"):
		for name := range p.Data {
			if !slices.Contains(fields, name) {
				return http.StatusBadRequest
			}
		}
	}
	id := ""
	for _, name := range []string{"call_id", "message_id", "contact_id"} {
		if has(name) {
			id = name + string(p.Data[name])
		}
	}
	return h.once(p.Event, p.Event+" "+id+" "+p.Timestamp, id)
}

// once works on an event unless that was done already.
func (h *Handler) once(event, key, id string) int {
	if h.is("lock") {
		time.Sleep(10 * time.Millisecond) // others come, and one waits for the other
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known, h.busy = map[string]string{}, map[string]bool{}
	}
	busy := h.busy[key]
	h.busy[key] = true
	switch _, done := h.known[key]; {
	case h.is("duplicate") && done:
		return http.StatusInternalServerError
	case h.is("books-twice"):
		h.booked++
	case h.is("race") && busy && !done:
		return http.StatusInternalServerError
	case (h.is("race") || h.is("books-race")) && !done:
		h.mu.Unlock() // it looks, and then it writes
		time.Sleep(10 * time.Millisecond)
		h.mu.Lock()
		h.booked++
	case done:
	case h.is("order") && h.known[id] != "" && h.known[id] != event:
		return http.StatusConflict
	case h.is("lock") && h.under.Load() > 3:
		time.Sleep(120 * time.Millisecond)
		h.booked++
	default:
		h.booked++
	}
	h.known[key] = event
	h.known[id] = event
	return http.StatusOK
}

// verify returns the status for a signature, 200 for a good one.
func (h *Handler) verify(r *http.Request, p *payload, body []byte) int {
	refuse := http.StatusUnauthorized
	switch {
	case h.is("no-check"):
		return http.StatusOK
	case h.is("refuses-500"):
		refuse = http.StatusInternalServerError
	case h.is("refuses-429"):
		refuse = http.StatusTooManyRequests
	}
	got := r.Header.Get(signature.HeaderSignature)
	timestamp := r.Header.Get(signature.HeaderTimestamp)
	version := r.Header.Get(signature.HeaderVersion)
	switch {
	case got == "" && h.is("header-missing"):
		return http.StatusOK
	case got == "" || timestamp == "" || version == "":
		return refuse
	case version != signature.Version && !h.is("any-version"):
		return refuse
	case len(got) != 2*sha256.Size && h.is("unequal-lengths"):
		return http.StatusInternalServerError
	}
	zone := time.UTC
	if h.is("local-time") {
		zone = time.FixedZone("", 5*3600+1800)
	}
	at, err := time.ParseInLocation(signature.TimeFormat, timestamp, zone)
	switch {
	case err != nil && h.is("timestamp-crashes"):
		return http.StatusInternalServerError
	case err != nil:
		return refuse
	case time.Since(at).Abs() > tolerant && !h.is("stale"):
		return refuse
	}
	urls := []string{h.URL}
	switch {
	case h.is("several-urls"):
		urls = append(urls, h.URL+"/other")
	case h.is("url-from-body") && p.WebhookURL != "":
		urls = []string{p.WebhookURL}
	case h.is("url-from-host"):
		urls = []string{"http://" + r.Host + r.URL.Path}
	}
	for _, url := range urls {
		want := signature.Sign(h.Secret, url, p.Event, timestamp)
		if h.is("hmac-body") {
			mac := hmac.New(sha256.New, []byte(h.Secret))
			mac.Write(body)
			want = hex.EncodeToString(mac.Sum(nil))
		}
		if hmac.Equal([]byte(got), []byte(want)) {
			return http.StatusOK
		}
	}
	return refuse
}
