package validate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

const (
	chunkSize     = 256 << 10 // of text that one worker judges at a time
	chunkPayloads = 2048      // of a chunk that was split
	smallText     = 64 << 10  // a text that no second goroutine is started for
)

// A Group is what problems that are alike have in common. An element of an
// array is like any other: its index is "*".
type Group struct {
	Event, Keyword, Pointer, Property string
	Severity                          schema.Severity
}

// GroupOf returns the group of a problem of a payload of the event type.
func GroupOf(event string, p *schema.Problem) Group {
	pointer := p.Pointer
	if strings.ContainsAny(pointer, "0123456789") {
		tokens := strings.Split(pointer, "/")
		for i, token := range tokens {
			if _, err := strconv.Atoi(token); err == nil {
				tokens[i] = "*"
			}
		}
		pointer = strings.Join(tokens, "/")
	}
	g := Group{event, p.Keyword, pointer, p.Property, p.Severity}
	if p.Keyword == schema.KeywordSyntax || p.Keyword == schema.KeywordEncoding {
		g.Property = p.Message // these are alike in nothing else
	}
	return g
}

// A Like counts the problems of one group.
type Like struct {
	Group

	// First is the first of them.
	First schema.Problem

	// Count is how many there are.
	Count int

	full atomic.Bool // Brief of them were emitted: the rest need not be explained
}

// A Tally counts what a [Checker] found in any number of texts.
type Tally struct {
	Summary

	mu     sync.Mutex // for groups: workers look whether a group is full
	groups map[Group]*Like
	order  []*Like
}

// Likes returns the groups of problems in the order of their first.
func (t *Tally) Likes() []*Like { return t.order }

// maxGroups bounds the groups that are told apart: names can be made up without
// end. Those beyond it are counted by keyword.
const maxGroups = 10_000

func (t *Tally) group(g Group) *Like {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups == nil {
		t.groups = map[Group]*Like{}
	}
	l := t.groups[g]
	if l == nil && len(t.groups) >= maxGroups {
		g = Group{Keyword: g.Keyword, Severity: g.Severity}
		l = t.groups[g]
	}
	if l == nil {
		l = &Like{Group: g}
		t.groups[g] = l
	}
	return l
}

// A chunk is a part of a text, and what was found in it.
type chunk struct {
	// text[:end] is to be judged. What follows it, which can be nothing, is
	// the beginning of the next chunk.
	text []byte
	end  int
	last bool // nothing follows at all

	strict bool // a payload ends with its line, whatever it looks like

	// payloads are the parts of text, where the text was split already; else
	// every line of it begins one.
	payloads []Payload
	split    bool

	// The findings. Positions are in the chunk unless it was split.
	count    int        // of payloads
	reported int        // of those with problems
	verdicts []*Verdict // theirs, as far as they were not handed over
	likes    map[*Like]int
	drifts   int // warnings in likes
	rest     int // where lines could not be told apart, or -1

	// found takes the verdicts of a chunk that is judged beside others, some at
	// a time, and is closed when it is judged. A worker whose chunk is not the
	// next one to be collected waits when it is full: so the number of verdicts
	// in memory is bounded, however many a chunk has. Nil keeps them all.
	found chan []*Verdict
}

const (
	batchSize   = 500 // verdicts that are handed over together
	maxInFlight = 2   // such batches, of one chunk
)

// add keeps a verdict, or hands it over with others.
func (ch *chunk) add(v *Verdict) {
	ch.reported++
	ch.verdicts = append(ch.verdicts, v)
	if ch.found != nil && len(ch.verdicts) >= batchSize {
		ch.found <- ch.verdicts
		ch.verdicts = nil
	}
}

// finish hands over the last verdicts.
func (ch *chunk) finish() {
	if len(ch.verdicts) > 0 {
		ch.found <- ch.verdicts
		ch.verdicts = nil
	}
	close(ch.found)
}

// A worker judges chunks.
type worker struct {
	checker *Checker
	tally   *Tally
	types   []typeState // by the types of the catalog
	cache   [cacheSize]*typeState
	known   map[driftID]*Like
	record  schema.ObjectReader
	member  func(name string) []byte // of the last record
}

const (
	cacheBits = 6
	cacheSize = 1 << cacheBits
)

type typeState struct {
	typ      *webhook.Type
	index    int
	property string // in quotes
	acceptor *schema.Acceptor
	compiled bool
}

type driftID struct {
	typ int
	key uint64
}

func (c *Checker) newWorker(tally *Tally) *worker {
	w := &worker{checker: c, tally: tally, known: map[driftID]*Like{}}
	w.record = schema.ObjectReader{Names: c.options.RecordNames, Unquote: slices.Index(c.options.RecordNames, c.options.RecordBody)}
	w.member = func(name string) []byte {
		if i := slices.Index(c.options.RecordNames, name); i >= 0 {
			return w.record.Values[i]
		}
		return nil
	}
	for i, t := range c.catalog.Types() {
		w.types = append(w.types, typeState{typ: t, index: i, property: `"` + t.Property + `"`})
	}
	return w
}

// Read judges the payloads of one text, counts them in tally, and calls emit
// for each that has problems, in their order. It splits the text as a [Reader]
// does, but judges chunks of it on all processors, in bounded memory. It stops
// at the first error of src, emit or ctx; name stands for the text in verdicts,
// and when it ends in .ndjson or .jsonl no payload goes beyond its line, if the
// first one does not.
func (c *Checker) Read(ctx context.Context, name string, src io.Reader, tally *Tally, emit func(*Verdict) error) error {
	r := &run{checker: c, name: name, src: src, tally: tally, emit: emit, pos: schema.Position{Line: 1, Column: 1}}
	ext := strings.ToLower(filepath.Ext(name))
	r.strict = ext == ".ndjson" || ext == ".jsonl"
	return r.run(ctx)
}

// A run is one call of Read.
type run struct {
	checker *Checker
	name    string
	src     io.Reader
	strict  bool
	tally   *Tally
	emit    func(*Verdict) error
	pos     schema.Position // of the next chunk
	buffers sync.Pool
}

func (r *run) run(ctx context.Context) error {
	head := make([]byte, smallText)
	n, err := fillLines(r.src, head)
	head = head[:n]
	whole := errors.Is(err, io.EOF)
	if err != nil && !whole {
		return fmt.Errorf("read: %w", err)
	}
	if !inLines(head) {
		return r.split(ctx, NewReader(io.MultiReader(bytes.NewReader(head), r.src), r.checker.maxPayload()), whole)
	}
	if whole {
		ch := &chunk{text: head, end: len(head), last: true, strict: r.strict}
		r.checker.worker(r.tally, func(w *worker) { w.lines(ch) })
		if err := r.collect(ctx, ch); err != nil || ch.rest < 0 {
			return err
		}
		return r.split(ctx, r.resume(head[ch.rest:]), true)
	}
	return r.lines(ctx, head)
}

// resume returns a reader of the text from where lines could not be told apart.
func (r *run) resume(text ...[]byte) *Reader {
	var sources []io.Reader
	for _, t := range text {
		sources = append(sources, bytes.NewReader(t))
	}
	reader := NewReader(io.MultiReader(append(sources, r.src)...), r.checker.maxPayload())
	reader.begun = r.pos.Offset > 0
	reader.strict = r.strict
	reader.pos = r.pos
	return reader
}

// inLines reports whether a text that begins with head seems to have a payload
// in each line: the first line is one.
func inLines(head []byte) bool {
	end := bytes.IndexByte(head, '\n')
	if end < 0 || len(head) == 0 || head[0] != '{' {
		return false
	}
	s := scanner{column: 1}
	stop, done := s.scan(head[:end])
	return done && len(bytes.TrimSpace(head[stop:end])) == 0
}

// worker lends a worker to f.
func (c *Checker) worker(tally *Tally, f func(*worker)) {
	w, _ := c.workers.Get().(*worker)
	if w == nil || w.tally != tally {
		w = c.newWorker(tally)
	}
	f(w)
	c.workers.Put(w)
}

// all yields the verdicts of a chunk as they are found.
func (ch *chunk) all() iter.Seq[*Verdict] {
	return func(yield func(*Verdict) bool) {
		if ch.found == nil {
			for _, v := range ch.verdicts {
				if !yield(v) {
					return
				}
			}
			return
		}
		for batch := range ch.found {
			for _, v := range batch {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// drain lets the worker of a chunk end whose verdicts nobody wants.
func (ch *chunk) drain() {
	for range ch.found {
	}
}

// collect takes over what was found in a chunk, in the order of chunks.
func (r *run) collect(ctx context.Context, ch *chunk) error {
	for v := range ch.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		v.File = r.name
		if !ch.split {
			for i := range v.Problems {
				v.Problems[i].Pos = v.Problems[i].Pos.Shift(r.pos)
			}
			v.Pos = v.Pos.Shift(r.pos)
		}
		r.tally.Add(v)
		r.tally.count(v, r.checker.options.Brief)
		if err := r.emit(v); err != nil {
			return err
		}
	}
	r.tally.Payloads += ch.count - ch.reported
	r.tally.Valid += ch.count - ch.reported
	r.tally.Warnings += ch.drifts
	for l, n := range ch.likes {
		l.Count += n
	}
	if !ch.split {
		end := ch.end
		if ch.rest >= 0 {
			end = ch.rest
		}
		r.pos = r.pos.After(ch.text[:end])
	}
	return nil
}

// count counts the problems of a verdict by group, and notes which groups have
// had their share of being emitted.
func (t *Tally) count(v *Verdict, limit int) {
	for i := range v.Problems {
		p := &v.Problems[i]
		l := t.group(GroupOf(v.Event, p))
		if l.Count == 0 {
			l.First = *p
			t.order = append(t.order, l)
		}
		if l.Count++; l.Count >= limit {
			l.full.Store(true)
		}
		v.Ranks = append(v.Ranks, l.Count)
	}
}

// stream judges the chunks that produce sends, on all processors, and collects
// them in their order. It returns the chunks from the one on in which lines
// could not be told apart.
func (r *run) stream(ctx context.Context, produce func(stop <-chan struct{}, send func(*chunk) bool) error) (rest []*chunk, err error) {
	workers := runtime.GOMAXPROCS(0)
	jobs := make(chan *chunk, workers)
	order := make(chan *chunk, 2*workers)
	stop := make(chan struct{})
	var produced error
	var all sync.WaitGroup
	all.Go(func() {
		produced = produce(stop, func(ch *chunk) bool {
			ch.found = make(chan []*Verdict, maxInFlight)
			select {
			case order <- ch:
				jobs <- ch
				return true
			case <-stop:
				return false
			}
		})
		close(jobs)
		close(order)
	})
	for range workers {
		all.Go(func() {
			r.checker.worker(r.tally, func(w *worker) {
				for ch := range jobs {
					if ch.split {
						w.payloads(ch)
					} else {
						w.lines(ch)
					}
					ch.finish()
				}
			})
		})
	}
	stopped := false
	for {
		ch, more := r.wait(order)
		if !more {
			break
		}
		if stopped {
			ch.drain()
			if err == nil {
				rest = append(rest, ch)
			}
			continue
		}
		if err = ctx.Err(); err == nil {
			err = r.collect(ctx, ch)
		}
		if err != nil {
			ch.drain()
		}
		if err != nil || ch.rest >= 0 {
			stopped = true
			close(stop)
			rest = append(rest, ch)
			continue
		}
		r.buffers.Put(ch)
	}
	all.Wait()
	if err == nil {
		err = produced
	}
	return rest, err
}

// wait returns the next chunk, and calls [Options.Idle] first when that takes
// time.
func (r *run) wait(order <-chan *chunk) (ch *chunk, more bool) {
	select {
	case ch, more = <-order:
	default:
		if r.checker.options.Idle != nil {
			r.checker.options.Idle()
		}
		ch, more = <-order
	}
	return ch, more
}

// fillLines reads until the buffer is full, the text ends, or there is a whole
// line and nothing more for now, as from a pipe that is written to slowly.
func fillLines(src io.Reader, buffer []byte) (n int, err error) {
	for idle := 0; n < len(buffer); {
		m, err := src.Read(buffer[n:])
		whole := m > 0 && bytes.IndexByte(buffer[n:n+m], '\n') >= 0
		short := m < len(buffer)-n
		n += m
		if err != nil {
			return n, err
		}
		if whole && short {
			return n, nil
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle > maxIdleReads {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// maxIdleReads is how often a reader may return nothing in a row.
const maxIdleReads = 100

// lines judges a text that has a payload in each line.
func (r *run) lines(ctx context.Context, head []byte) error {
	p := &producer{run: r, carry: head}
	rest, err := r.stream(ctx, p.chunks)
	if err != nil || len(rest) == 0 && !p.handOver {
		return err
	}
	var texts [][]byte
	for i, ch := range rest {
		text := ch.text[:ch.end]
		if i == 0 {
			text = text[ch.rest:]
		}
		texts = append(texts, text)
	}
	return r.split(ctx, r.resume(append(texts, p.carry)...), false)
}

// A producer cuts a text into chunks at line ends.
type producer struct {
	run      *run
	carry    []byte // read, and not in a chunk yet
	handOver bool   // there is a line that is too long for a chunk
}

func (p *producer) chunks(stop <-chan struct{}, send func(*chunk) bool) error {
	limit := p.run.checker.maxPayload()
	for size, end := chunkSize, false; !end; {
		ch := p.run.chunk(max(size, len(p.carry)+chunkSize/4))
		text := append(ch.text[:0], p.carry...) //nolint:gocritic // ch.text is set below
		var n int
		var err error
		if bytes.IndexByte(text, '\n') < 0 { // what is whole already does not wait for more
			n, err = fillLines(p.run.src, text[len(text):cap(text)])
		}
		text = text[:len(text)+n]
		end = errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read: %w", err)
		}
		ch.text, ch.end, ch.last = text, len(text), end
		if !end {
			ch.end = bytes.LastIndexByte(text, '\n') + 1
		}
		p.carry = slices.Clone(text[ch.end:])
		if ch.end == 0 && !end {
			if len(text) > limit {
				p.handOver = true
				return nil
			}
			size = 2 * cap(text)
			continue
		}
		size = chunkSize
		if !send(ch) {
			// It was not judged: it is what comes first after those that
			// were.
			p.carry = text
			return nil
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
	return nil
}

// chunk returns an empty chunk with room for size bytes.
func (r *run) chunk(size int) *chunk {
	ch, _ := r.buffers.Get().(*chunk)
	if ch == nil || cap(ch.text) < size || cap(ch.text) > 4*size {
		ch = &chunk{text: make([]byte, 0, size)}
	}
	*ch = chunk{text: ch.text[:0], payloads: ch.payloads[:0], rest: -1, strict: r.strict}
	return ch
}

// split judges the payloads that a reader finds.
func (r *run) split(ctx context.Context, reader *Reader, small bool) error {
	if small {
		ch := r.chunk(smallText)
		ch.split = true
		more := true
		for more {
			var err error
			if more, err = r.fill(ch, reader); err != nil {
				return err
			}
			r.checker.worker(r.tally, func(w *worker) { w.payloads(ch) })
			if err := r.collect(ctx, ch); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			*ch = chunk{text: ch.text[:0], split: true, rest: -1}
		}
		return nil
	}
	_, err := r.stream(ctx, func(_ <-chan struct{}, send func(*chunk) bool) error {
		for more := true; more; {
			ch := r.chunk(chunkSize)
			ch.split = true
			var err error
			if more, err = r.fill(ch, reader); err != nil {
				return err
			}
			if !send(ch) {
				return nil
			}
		}
		return nil
	})
	return err
}

// fill copies payloads into a chunk until it is full, and reports whether there
// are more.
func (r *run) fill(ch *chunk, reader *Reader) (more bool, err error) {
	for len(ch.text) < chunkSize && len(ch.payloads) < chunkPayloads {
		p, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("read: %w", err)
		}
		if p.Bytes != nil {
			begin := len(ch.text)
			ch.text = append(ch.text, p.Bytes...)
			p.Bytes = ch.text[begin:len(ch.text):len(ch.text)] // a grown text leaves it the old one
		}
		ch.payloads = append(ch.payloads, p)
		if len(bytes.TrimLeft(reader.rest(), whitespace)) == 0 {
			break // the next one may be long in coming
		}
	}
	return true, nil
}

// payloads judges a chunk that was split.
func (w *worker) payloads(ch *chunk) {
	for i := range ch.payloads {
		p := &ch.payloads[i]
		if p.Bytes != nil && len(p.Problems) == 0 {
			if _, quiet := w.accept(ch, p.Bytes, len(p.Bytes), true); quiet {
				continue
			}
		}
		w.explain(ch, *p)
	}
}

// explain judges a payload that takes more than a look.
func (w *worker) explain(ch *chunk, p Payload) {
	v := &Verdict{Pos: p.Pos, Payload: p.Bytes}
	if p.Bytes != nil {
		d := schema.Parse(p.Bytes)
		r, isRecord, judged := w.checker.record(d)
		switch {
		case isRecord && !judged:
			return
		case isRecord:
			v.Result = r
		default:
			v.Result = w.checker.explainDocument(d)
		}
		for i := range v.Problems {
			v.Problems[i].Pos = v.Problems[i].Pos.Shift(p.Pos)
		}
	}
	ch.count++
	v.Problems = slices.Concat(p.Problems, v.Problems)
	if w.checker.settle(v); len(v.Problems) > 0 {
		ch.add(v)
	}
}

// lines judges a chunk of lines.
func (w *worker) lines(ch *chunk) {
	ch.rest = -1
	at, pos := 0, schema.Position{Line: 1, Column: 1} // the last place whose position is known
	for i := 0; ; {
		for i < ch.end && strings.IndexByte(whitespace, ch.text[i]) >= 0 {
			i++
		}
		if i >= ch.end {
			return
		}
		longest := w.checker.maxPayload()
		switch ch.text[i] {
		case '{':
			if end, quiet := w.accept(ch, ch.text[i:], min(ch.end-i, longest), false); quiet {
				i += end
				continue
			}
		case '[', ',', ']', schema.ByteOrderMark[0], 0:
			ch.rest = i
			return
		}
		pos = pos.After(ch.text[at:i])
		at = i
		s := scanner{column: pos.Column, scalar: ch.text[i] != '{'}
		text := ch.text[i:]
		line := -1
		if ch.strict {
			if line = bytes.IndexByte(text, '\n'); line >= 0 {
				text = text[:line]
			}
		}
		text = text[:min(len(text), longest+1)]
		end, done := s.scan(text)
		switch {
		case end > longest, !done && len(text) > longest:
			ch.rest = i
			return
		case line >= 0:
		case !done && ch.last && s.candidate > 0:
			end = s.candidate
		case !done && !ch.last, i+end > ch.end:
			ch.rest = i
			return
		}
		w.explain(ch, Payload{Bytes: bytes.TrimRight(ch.text[i:i+end:i+end], whitespace), Pos: pos})
		i += end
	}
}

// accept asks the fast program about the payload that text begins with, which
// has to end within limit, or, to be exact, at it. When it is quiet the payload
// was counted, and there is nothing to report of it but drifts, which were counted
// too.
func (w *worker) accept(ch *chunk, text []byte, limit int, exact bool) (end int, quiet bool) {
	if w.checker.slow || w.checker.options.ExpectInvalid {
		return 0, false
	}
	if prefix := w.checker.options.RecordPrefix; prefix != "" && len(text) > len(prefix) && string(text[:len(prefix)]) == prefix {
		return w.acceptRecord(ch, text, limit, exact)
	}
	t := w.identify(text)
	if t == nil || t.acceptor == nil {
		return 0, false
	}
	end, said := t.acceptor.Accept(text)
	if end > limit || exact && end != limit || said == schema.Unsure || ch.strict && !t.acceptor.InLine() || said == schema.Warned && !w.count(ch, t) {
		return 0, false
	}
	ch.count++
	return end, true
}

// acceptRecord is accept for a record.
func (w *worker) acceptRecord(ch *chunk, text []byte, limit int, exact bool) (end int, quiet bool) {
	end = w.record.Read(text)
	if end < 0 || end > limit || exact && end != limit || ch.strict && !w.record.InLine() {
		return 0, false
	}
	rec, ok := w.checker.options.Record(w.member)
	switch {
	case ok && rec.Skip:
		return end, true
	case !ok || rec.Err != nil || rec.Base64:
		return 0, false
	}
	body := w.record.Text
	t := w.identify(body)
	if t == nil || t.acceptor == nil {
		return 0, false
	}
	n, said := t.acceptor.Accept(body)
	if said == schema.Unsure || len(bytes.TrimRight(body[n:], whitespace)) > 0 || said == schema.Warned && !w.count(ch, t) {
		return 0, false
	}
	ch.count++
	return end, true
}

// count counts the drifts of the last document, unless one of them is to be
// emitted.
func (w *worker) count(ch *chunk, t *typeState) bool {
	if w.checker.options.Brief == 0 || w.checker.options.Strict {
		return false
	}
	drifts := t.acceptor.Drifts()
	var likes [8]*Like
	if len(drifts) > len(likes) {
		return false
	}
	for i, d := range drifts {
		l := w.known[driftID{t.index, d.Key}]
		if l == nil {
			keyword, pointer, property := t.acceptor.Describe(d)
			if names := w.checker.options.RecordNames; len(names) > 0 && pointer == "/"+names[0] {
				return false // it may be a record
			}
			if len(w.known) >= maxGroups {
				clear(w.known)
			}
			l = w.tally.group(Group{t.typ.Name, keyword, pointer, property, schema.Warning})
			w.known[driftID{t.index, d.Key}] = l
		}
		if !l.full.Load() {
			return false
		}
		likes[i] = l
	}
	if ch.likes == nil {
		ch.likes = map[*Like]int{}
	}
	for i := range drifts {
		ch.likes[likes[i]]++
	}
	ch.drifts += len(drifts)
	return true
}

// identify returns the type of the payload that text begins with, or nil when
// it takes more than a look.
func (w *worker) identify(text []byte) *typeState {
	if w.checker.options.Event != "" {
		for i := range w.types {
			if w.types[i].typ.Name == w.checker.options.Event {
				return w.ready(&w.types[i])
			}
		}
		return nil
	}
	for i, property := range w.checker.properties {
		value, found := schema.FindString(text, property)
		if !found {
			continue
		}
		if value == nil {
			return nil
		}
		slot := &w.cache[hashName(value, i)]
		if t := *slot; t != nil && t.property == property && t.typ.Value == string(value) {
			return t
		}
		for j := range w.types {
			if t := &w.types[j]; t.property == property && t.typ.Value == string(value) {
				*slot = w.ready(t)
				return t
			}
		}
		return nil
	}
	return nil
}

// hashName spreads names over the cache.
func hashName(name []byte, property int) int {
	const multiplier = 0x9e3779b97f4a7c15
	h := uint64(len(name)) + uint64(property)<<8 //nolint:gosec // both are small
	if len(name) >= 8 {
		h ^= binary.LittleEndian.Uint64(name[len(name)-8:])
	} else {
		for _, c := range name {
			h = h<<8 ^ uint64(c)
		}
	}
	return int(h * multiplier >> (64 - cacheBits))
}

// ready makes the acceptor of a type when it is first asked for.
func (w *worker) ready(t *typeState) *typeState {
	if !t.compiled {
		t.compiled = true
		if s, err := w.checker.Schema(t.typ); err == nil {
			t.acceptor = s.NewAcceptor()
			if names := w.checker.options.RecordNames; w.checker.options.Record != nil && len(names) > 0 &&
				slices.ContainsFunc(s.Fields(), func(f schema.Field) bool { return len(f.Path) == 1 && f.Path[0] == names[0] }) {
				t.acceptor = nil // it may be a record: that takes more than a look
			}
		}
	}
	return t
}
