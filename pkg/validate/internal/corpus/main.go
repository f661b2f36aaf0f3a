// Command corpus writes captured payloads for benchmarks: as many distinct
// events as it is asked for, of all bundled types in turn, one per line. The
// same flags give the same bytes.
//
//	go run ./pkg/validate/internal/corpus -n 1000000 > events.ndjson
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/pretty"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// options say how the corpus differs from the easy case.
type options struct {
	n       int
	seed    uint64
	shuffle bool    // keys in random order
	spaces  bool    // a space after each colon and comma
	pretty  bool    // indented, over several lines
	capture bool    // as records of a capture
	invalid float64 // share of events with a field of a wrong type
	warn    string  // a warning in every event: absent or undocumented
}

func main() {
	log.SetFlags(0)
	var o options
	flag.IntVar(&o.n, "n", 1_000_000, "number of events")
	flag.Uint64Var(&o.seed, "seed", 1, "seed")
	flag.BoolVar(&o.shuffle, "shuffle", false, "shuffle the keys")
	flag.BoolVar(&o.spaces, "spaces", false, "put spaces after colons and commas")
	flag.BoolVar(&o.pretty, "pretty", false, "indent")
	flag.BoolVar(&o.capture, "capture", false, "write records of a capture")
	flag.Float64Var(&o.invalid, "invalid", 0, "share of invalid events, 0 to 1")
	flag.StringVar(&o.warn, "warn", "", "a warning in every event: absent or undocumented")
	flag.Parse()
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	if err := write(out, o); err != nil {
		log.Fatal("error: ", err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal("error: ", err)
	}
}

// A member is one member of an object, in order.
type member struct {
	key   string
	value any // []member, json.Number, string, bool, nil or []any
}

func write(w io.Writer, o options) error {
	catalog, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		return err
	}
	types := catalog.Types()
	samples := make([][]member, len(types))
	for i, t := range types {
		dec := json.NewDecoder(bytes.NewReader(t.Sample))
		dec.UseNumber()
		v, decodeErr := decode(dec)
		if decodeErr != nil {
			return decodeErr
		}
		samples[i], _ = v.([]member)
	}
	g := &generator{options: o, rand: rand.New(rand.NewPCG(o.seed, 0))} //nolint:gosec // to be repeatable is the point
	var line []byte
	for i := range o.n {
		g.i = i
		g.broken = g.rand.Float64() < o.invalid
		body := g.append(nil, samples[i%len(samples)], types[i%len(types)].Property, 0)
		if o.pretty {
			body = bytes.TrimSuffix(pretty.Pretty(body), []byte("\n"))
		}
		line = append(append(line[:0], body...), '\n')
		if o.capture {
			line = g.record(line[:0], body)
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// decode reads a value and keeps the order of members.
func decode(dec *json.Decoder) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		var members []member
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := decode(dec)
			if err != nil {
				return nil, err
			}
			members = append(members, member{fmt.Sprint(key), value})
		}
		_, err := dec.Token()
		return members, err
	case json.Delim('['):
		var list []any
		for dec.More() {
			value, err := decode(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := dec.Token()
		return list, err
	}
	return tok, nil
}

type generator struct {
	options

	rand   *rand.Rand
	i      int
	broken bool // the next integer is written as a string
}

// essential are the last fields of some samples that must not be left out.
var essential = map[string]bool{"status": true}

// append writes an object like the given one, with values of its own; the
// member fixed keeps its value.
func (g *generator) append(dst []byte, members []member, fixed string, depth int) []byte {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	if g.shuffle {
		g.rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	colon, comma := ":", ","
	if g.spaces {
		colon, comma = ": ", ", "
	}
	dst = append(dst, '{')
	for n, i := range order {
		m := members[i]
		if depth == 1 && g.warn == "absent" && i == len(members)-1 && !essential[m.key] {
			continue
		}
		if n > 0 && dst[len(dst)-1] != '{' {
			dst = append(dst, comma...)
		}
		dst = append(append(strconv.AppendQuote(dst, m.key), colon...), g.value(m, fixed, depth)...)
	}
	if depth == 1 && g.warn == "undocumented" {
		dst = append(append(append(dst, comma...), `"priority"`+colon...), "3"...)
	}
	return append(dst, '}')
}

const (
	lowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"
	sentence   = "the customer asked to move the appointment to another day and wants a call back about the renewal of the contract before noon"
)

func (g *generator) value(m member, fixed string, depth int) string {
	switch v := m.value.(type) {
	case []member:
		return string(g.append(nil, v, "", depth+1))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = g.value(member{value: e}, "", depth)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case json.Number:
		n := 1 + g.rand.IntN(100_000)
		if g.broken {
			g.broken = false
			return strconv.Quote(strconv.Itoa(n))
		}
		return strconv.Itoa(n)
	case string:
		return strconv.Quote(g.text(m.key, v, m.key == fixed))
	case nil:
		return "null"
	}
	return fmt.Sprint(m.value)
}

// text makes a string like the one of the sample: of its kind, and of its
// length or somewhat longer.
func (g *generator) text(key, sample string, fixed bool) string {
	switch {
	case fixed || key == "direction" || key == "status":
		return sample
	case strings.HasPrefix(sample, "+"):
		return fmt.Sprintf("+1415555%04d", g.rand.IntN(10_000))
	case strings.HasSuffix(key, "_id"):
		prefix := sample[:strings.LastIndexByte(sample, '_')+1]
		id := make([]byte, 6)
		for i := range id {
			id[i] = lowerAlnum[g.rand.IntN(len(lowerAlnum))]
		}
		return fmt.Sprintf("%s%s%07d", prefix, id, g.i)
	case strings.HasPrefix(sample, "https://"):
		return fmt.Sprintf("%s/%08x/rec_%d.mp3", sample[:strings.LastIndexByte(sample, '/')], g.rand.Uint32(), g.i)
	case strings.Contains(sample, "@"):
		return fmt.Sprintf("user%d@example.com", g.i)
	}
	if t, err := time.Parse(time.RFC3339, sample); err == nil {
		return t.Add(time.Duration(g.i) * time.Second).UTC().Format(time.RFC3339)
	}
	if strings.Contains(sample, " ") && len(sample) > 20 {
		at := g.rand.IntN(len(sentence) / 2)
		return strings.TrimSpace((sentence + " " + sentence)[at : at+len(sample)+16+g.rand.IntN(104)])
	}
	return sample
}

// record wraps a body as listen records it.
func (g *generator) record(dst, body []byte) []byte {
	return capture.Append(dst, &webhook.Delivery{
		ID:       uint64(g.i) + 1, //nolint:gosec // a count
		Received: time.Unix(1_770_000_000, int64(g.i)*1000), RemoteAddr: "127.0.0.1:40000",
		Method: "POST", URL: "/hooks", Status: 200, Body: body,
		Header: map[string][]string{"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}},
	}, nil)
}
