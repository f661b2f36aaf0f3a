package cli

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/load"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// An engineTarget is a request as vegeta reads it, with -format=json.
type engineTarget struct {
	Method string              `json:"method"`
	URL    string              `json:"url"`
	Body   []byte              `json:"body"`
	Header map[string][]string `json:"header"`
}

// engineTargets are the requests of one round, or of as many as --count wants.
func (m *mixture) engineTargets(o *loadOptions) []engineTarget {
	var all []engineTarget
	for len(all) == 0 || len(all) < o.count {
		all = append(all, m.round()...)
	}
	if o.count > 0 {
		all = all[:o.count]
	}
	return all
}

// round makes each event as often as it weighs, with new ids.
func (m *mixture) round() []engineTarget {
	var all []engineTarget
	for i, t := range m.templates {
		signed := m.sender.sign(parcel{t.event, t.event, &webhook.Delivery{URL: m.sender.target.String(), Header: m.sender.header}})
		header := maps.Clone(signed.Header)
		if header == nil {
			header = map[string][]string{}
		}
		if header["Content-Type"] == nil {
			header["Content-Type"] = []string{"application/json"}
		}
		for range m.weights[i] {
			m.workers = make([]mixer, 1)
			one := mixture{sender: m.sender, templates: []*template{t}, weights: []int{1}, total: 1, workers: m.workers}
			all = append(all, engineTarget{http.MethodPost, signed.URL, one.next(0).Body, header})
		}
	}
	return all
}

// maxPrinted is how many targets are printed at the most.
const maxPrinted = 100_000

// print writes the requests for another engine.
func (m *mixture) print(o *sendOptions) error {
	a := m.sender.app
	targets := m.engineTargets(&o.load)
	if m.sender.secret != "" {
		a.say("%s the signatures are of now: a handler that checks their age refuses them in some minutes", a.err.Note("note:"))
	}
	if o.load.count > maxPrinted || m.total > maxPrinted {
		return usage("", "more than %d targets", maxPrinted)
	}
	if o.load.count == 0 {
		a.say("%s the engine sends these again and again, with the same ids; --count N makes N of them", a.err.Note("note:"))
	}
	if o.load.printFor == "vegeta" {
		for _, t := range targets {
			text, err := report.Marshal(t)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s\n", text)
		}
		return nil
	}
	script, err := k6Script(targets, o)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write([]byte(script))
	return err
}

// k6Script is a script that makes the requests in turn.
func k6Script(targets []engineTarget, send *sendOptions) (string, error) {
	o := &send.load
	type target struct {
		URL    string            `json:"url"`
		Body   string            `json:"body"`
		Header map[string]string `json:"headers"`
	}
	var list []target
	for _, t := range targets {
		if !utf8.Valid(t.Body) {
			return "", usage("--print vegeta takes any", "a k6 script cannot hold a body that is not UTF-8")
		}
		header := map[string]string{}
		for name, values := range t.Header {
			header[name] = strings.Join(values, ", ") // k6 knows one value per name
		}
		list = append(list, target{t.URL, string(t.Body), header})
	}
	text, err := report.Marshal(list)
	if err != nil {
		return "", err
	}
	duration := o.duration
	if duration == 0 {
		duration = defaultLoad
	}
	connections := o.concurrency
	if connections == 0 {
		connections = load.DefaultConcurrency
	}
	if o.rate > 0 && o.count > 0 {
		duration = time.Duration(float64(o.count) / float64(o.rate) * float64(time.Second))
	}
	var options string
	switch {
	case o.rate > 0:
		// k6 counts whole requests: in a day there are enough of them.
		options = fmt.Sprintf(`executor: "constant-arrival-rate", rate: %d, timeUnit: "24h", duration: %q, preAllocatedVUs: %d, maxVUs: %d`,
			int64(float64(o.rate)/minRate+0.5), duration, connections, 10*connections)
	case o.count > 0:
		options = fmt.Sprintf(`executor: "shared-iterations", vus: %d, iterations: %d`, min(connections, o.count), o.count)
		if o.duration > 0 {
			options += fmt.Sprintf(`, maxDuration: %q`, o.duration)
		}
	default:
		options = fmt.Sprintf(`executor: "constant-vus", vus: %d, duration: %q`, connections, duration)
	}
	return `import http from "k6/http";
import { check } from "k6";
import { scenario } from "k6/execution";

export const options = { insecureSkipTLSVerify: ` + strconv.FormatBool(send.delivery.insecure) + `, scenarios: { webhooks: { ` + options + ` } } };

const targets = ` + string(text) + `;

export default function () {
  const t = targets[scenario.iterationInTest % targets.length];
  const response = http.post(t.url, t.body, { headers: t.headers, redirects: 0, timeout: "` + send.delivery.timeout.String() + `" });
  check(response, { "acknowledged with 2xx": (r) => r.status >= 200 && r.status < 300 });
}
`, nil
}
