package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

const (
	maxPage       = 200     // entries of one answer
	maxMessage    = 500     // entries of one event of the stream
	maxRequest    = 8 << 20 // bytes of a request
	maxHeader     = 64 << 10
	headerTimeout = 10 * time.Second
	writeTimeout  = 30 * time.Second // of an answer, or of one event
	streamPause   = 50 * time.Millisecond
	keepAlive     = 10 * time.Second
	reconnect     = 500 * time.Millisecond // until a page tries again
)

// A Server serves the page. It is made by [New].
type Server struct {
	options Options
	store   *store
	handler http.Handler
}

// New returns a server that has seen nothing yet.
func New(o Options) *Server {
	if o.State.Targets == nil {
		o.State.Targets = []string{}
	}
	s := &Server{options: o, store: newStore()}
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.options.State) })
	mux.HandleFunc("GET /api/deliveries", s.list)
	mux.HandleFunc("GET /api/deliveries/{id}", s.detail)
	mux.HandleFunc("POST /api/deliveries/{id}/replay", s.replay)
	mux.HandleFunc("GET /api/stream", s.stream)
	s.handler = guard(mux)
	return s
}

// ServeHTTP answers a request of the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers requests on ln, which must be on a loopback address, until ctx is
// done. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, ReadTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	err := server.Serve(ln)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Add shows a delivery, whose ID must be above those of all before it.
func (s *Server) Add(e Entry, d *webhook.Delivery) {
	if e.Forwards == nil {
		e.Forwards = []Forward{}
	}
	s.store.add(e, d)
}

// Forwarded shows what came of sending a delivery on.
func (s *Server) Forwarded(id uint64, f Forward) { s.store.forwarded(id, f) }

func reply(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a page that is gone is no fault of ours
}

// refuse says why a request cannot be answered.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	before, limit := uint64(math.MaxUint64), maxPage
	query := r.URL.Query()
	if text := query.Get("before"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, "before is no id: %q", text)
			return
		}
		before = n
	}
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n > 0 {
		limit = min(n, maxPage)
	}
	entries, revision := s.store.before(before, limit+1)
	if missing := limit + 1 - len(entries); missing > 0 && s.options.Older != nil {
		if len(entries) > 0 {
			before = entries[len(entries)-1].ID
		}
		older, err := s.options.Older(before, missing)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "read the capture: %v", err)
			return
		}
		for _, d := range slices.Backward(older) {
			e := s.options.Entry(d)
			e.Forwards = []Forward{}
			entries = append(entries, e)
		}
	}
	more := len(entries) > limit
	reply(w, http.StatusOK, map[string]any{"deliveries": append([]Entry{}, entries[:min(len(entries), limit)]...), "more": more, "revision": revision})
}

// find returns the delivery that a request is about, with its entry, or nil when
// the request was answered.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (*webhook.Delivery, Entry) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "no id: %q", r.PathValue("id"))
		return nil, Entry{}
	}
	d, known := s.store.get(id)
	if d == nil && s.options.Older != nil && id < math.MaxUint64 {
		older, err := s.options.Older(id+1, 1)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "read the capture: %v", err)
			return nil, Entry{}
		}
		if len(older) == 1 && older[0].ID == id {
			d = older[0]
		}
	}
	switch {
	case d == nil && s.options.Older == nil:
		refuse(w, http.StatusNotFound, "delivery %d is not in memory any more; --record keeps all", id)
		return nil, Entry{}
	case d == nil:
		refuse(w, http.StatusNotFound, "there is no delivery %d", id)
		return nil, Entry{}
	case known != nil:
		return d, *known
	}
	e := s.options.Entry(d)
	e.Forwards = []Forward{}
	return d, e
}

func (s *Server) detail(w http.ResponseWriter, r *http.Request) {
	d, e := s.find(w, r)
	if d == nil {
		return
	}
	detail := s.options.Detail(d)
	detail.Entry = e
	if detail.Problems == nil {
		detail.Problems = []Problem{}
	}
	if detail.Summary == nil {
		detail.Summary = [][2]string{}
	}
	reply(w, http.StatusOK, detail)
}

func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Target int     `json:"target"`
		Body   *string `json:"body"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&ask); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			refuse(w, http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", maxRequest)
			return
		}
		refuse(w, http.StatusBadRequest, "the request is not JSON: %v", err)
		return
	}
	if s.options.Replay == nil || ask.Target < 0 || ask.Target >= len(s.options.State.Targets) {
		refuse(w, http.StatusBadRequest, "no such target: deliveries go to those of --forward-to only")
		return
	}
	d, _ := s.find(w, r)
	if d == nil {
		return
	}
	if ask.Body != nil {
		edited := *d
		edited.Body = []byte(*ask.Body)
		d = &edited
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	reply(w, http.StatusOK, s.options.Replay(r.Context(), d, ask.Target, ask.Body != nil))
}

// stream sends what is new and what has changed, from the revision on that the
// page has seen.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("since")
	}
	revision, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		revision = 0 // nothing that is known: the page loads the list
	}
	session, err := sse.Upgrade(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	send := func(kind string, value any) error {
		m := &sse.Message{}
		if kind == "" {
			m.AppendComment("here")
			m.Retry = reconnect
		} else {
			data, marshalErr := json.Marshal(value)
			if marshalErr != nil {
				return marshalErr
			}
			m.AppendData(string(data))
			m.Type, m.ID = sse.Type(kind), sse.ID(strconv.FormatUint(revision, 10))
		}
		return errors.Join(control.SetWriteDeadline(time.Now().Add(writeTimeout)), session.Send(m), session.Flush())
	}
	if send("", nil) != nil {
		return
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		entries, upTo, changed, ok := s.store.since(revision, maxMessage)
		revision = upTo
		switch {
		case !ok:
			err = send("reset", map[string]uint64{"revision": revision})
		case len(entries) > 0:
			err = send("delivery", entries)
		default:
			select {
			case <-changed:
			case <-alive.C:
				err = send("", nil)
			case <-r.Context().Done():
				return
			}
		}
		if err != nil {
			return
		}
		select { // changes come in bursts: a page is told of some at a time
		case <-time.After(streamPause):
		case <-r.Context().Done():
			return
		}
	}
}
