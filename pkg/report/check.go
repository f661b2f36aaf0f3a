package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/check"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

// CheckFormats are the formats in which the checks of a handler are reported.
var CheckFormats = []string{"text", "json", "junit"}

// A CheckReport is what the checks of one handler came to.
type CheckReport struct {
	URL     string // without a password
	Seed    uint64
	Begin   time.Time
	Took    time.Duration
	Results []check.Result
	Summary check.Summary
}

// Add takes the result of a check.
func (r *CheckReport) Add(result check.Result) {
	r.Results = append(r.Results, result)
	r.Summary.Add(&result.Verdict)
}

// verdictWords are how the kinds of verdicts are called.
var verdictWords = map[check.Kind]string{
	check.Pass: "ok", check.Fail: "FAIL", check.Note: "note", check.Skip: "skipped", check.Blocked: "blocked",
}

// Columns of the lines of checks: the longest word, and most names.
const (
	verdictWidth = 7
	checkWidth   = 30
)

// CheckLine writes the line of a check, and below one that failed what was sent,
// what came and what would have been right.
func (s Style) CheckLine(r *check.Result) string { return s.checkLine(r, r.Check.ID()) }

// UnmadeLine writes one line for several checks of a group that were skipped or
// blocked for the same reason.
func (s Style) UnmadeLine(results []check.Result) string {
	if len(results) == 1 {
		return s.CheckLine(&results[0])
	}
	return s.checkLine(&results[0], fmt.Sprintf("%s (%s)", results[0].Check.Group, Count(len(results), "check")))
}

func (s Style) checkLine(r *check.Result, name string) string {
	v := &r.Verdict
	word := pad(verdictWords[v.Kind], verdictWidth)
	switch v.Kind {
	case check.Pass:
		word = s.good(word)
	case check.Fail:
		word = s.bad(word)
	case check.Note, check.Blocked:
		word = s.warn(word)
	case check.Skip:
		word = s.faint(word)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  ", word, s.strong(pad(Safe(name), checkWidth)))
	switch v.Kind {
	case check.Pass:
		b.WriteString(s.faint(checkAnswers(v)))
	case check.Fail:
		b.WriteString(checkFault(v))
	default:
		b.WriteString(checkReason(v))
	}
	if len(v.Without) > 0 {
		b.WriteString(s.warn("; without " + Excerpt([]byte(strings.Join(v.Without, ", ")), maxSummary) + ", not acknowledged as it is"))
	}
	b.WriteByte('\n')
	if v.Kind != check.Fail {
		return b.String()
	}
	sent := v.Sent
	if sent == "" {
		sent = r.Check.What
	}
	rows := [][2]string{{"sent:", Excerpt([]byte(sent), maxBodyExcerpt)}, {"got:", checkGot(v)}, {"right:", r.Check.Right}, {"hint:", checkHint(r)}}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(&b, "%s%s %s\n", strings.Repeat(" ", verdictWidth+gap), s.faint(pad(row[0], len("right:"))), row[1])
		}
	}
	return b.String()
}

// checkAnswers says how good answers were: 200 in 3ms; 44 answers, 200 and 202,
// the slowest in 12ms.
func checkAnswers(v *check.Verdict) string {
	if len(v.Counts) > 0 {
		return fmt.Sprintf("%s: %s", number(v.Deliveries)+" deliveries", counts(v))
	}
	var statuses []string
	for _, code := range v.Statuses {
		status := "closed"
		if code > 0 {
			status = strconv.Itoa(code)
		}
		statuses = append(statuses, status)
	}
	if v.Deliveries == 1 {
		return strings.Join(statuses, "") + " in " + Duration(v.Slowest)
	}
	return fmt.Sprintf("%s: %s, the slowest in %s", Count(v.Deliveries, "answer"), strings.Join(statuses, ", "), Duration(v.Slowest))
}

// checkFault says in a few words what is wrong.
func checkFault(v *check.Verdict) string {
	if v.Reason == check.Repeated {
		return "duplicates change the number"
	}
	fault := "no answer"
	if v.Outcome != nil {
		fault = outcomeWord(v.Outcome)
	}
	if v.Deliveries > 1 {
		fault = fmt.Sprintf("%s; %s of %s wrong", fault, number(v.Bad), Count(v.Deliveries, "answer"))
	}
	return fault
}

// outcomeWord is the status, or how there came to be none.
func outcomeWord(o *deliver.Outcome) string {
	if o.Status > 0 && o.Err == nil {
		return strconv.Itoa(o.Status)
	}
	return string(o.Class)
}

func counts(v *check.Verdict) string {
	if len(v.Counts) < 4 {
		return ""
	}
	return fmt.Sprintf("%+d by each event once, %+d by the same once more, %+d by new ones several times at once",
		v.Counts[1]-v.Counts[0], v.Counts[2]-v.Counts[1], v.Counts[3]-v.Counts[2])
}

// checkGot says what came, with the beginning of the body.
func checkGot(v *check.Verdict) string {
	o := v.Outcome
	switch {
	case v.Reason == check.Repeated:
		return counts(v)
	case v.Reason == check.Dropped:
		return "the connection was closed after an answer that did not say so"
	case o == nil:
		return ""
	case o.Class == deliver.Timeout:
		return "no whole answer within " + Duration(o.Latency)
	case o.Class == deliver.Closed:
		return "the connection was closed without a whole answer, after " + Duration(o.Latency)
	case o.Err != nil:
		return Safe(NetworkCause(o.Err).Error())
	}
	text := strings.TrimSpace(fmt.Sprintf("%d %s", o.Status, http.StatusText(o.Status))) + " in " + Duration(o.Latency)
	if o.Class == deliver.Redirect {
		return text + "  to " + orUnknown(Excerpt([]byte(o.Location), maxBodyExcerpt)) + ", which is not followed"
	}
	if o.Header.Get("Content-Encoding") != "" {
		return text
	}
	if body := strings.Join(strings.Fields(string(o.Body)), " "); body != "" {
		text += "  " + Excerpt([]byte(body), maxBodyExcerpt)
	}
	return text
}

// checkHint says what is usually wrong.
func checkHint(r *check.Result) string {
	if o := r.Verdict.Outcome; o != nil {
		switch {
		case o.Class == deliver.Redirect, o.Status == http.StatusNotFound, o.Status == http.StatusMethodNotAllowed, o.Class == deliver.Refused:
			return Diagnosis(o)
		case r.Check.Group == "events" && o.Status >= http.StatusInternalServerError:
			return "the handler failed: look at its log"
		case r.Check.Group == "events" && (o.Status == http.StatusUnauthorized || o.Status == http.StatusForbidden):
			return "the handler refuses the sender: where it verifies signatures, JC_WEBHOOKS_SECRET and --url say what it verifies with"
		}
	}
	return r.Check.Hint
}

// checkReason says why there is no answer to a check, or what it is a note about.
func checkReason(v *check.Verdict) string {
	answer := ""
	if v.Outcome != nil {
		answer = outcomeWord(v.Outcome)
	}
	switch v.Reason {
	case check.NoSecret:
		return "needs the API secret: set JC_WEBHOOKS_SECRET, or name a --secret-file"
	case check.NoCounter:
		return "needs a --count-command"
	case check.Proxied:
		return "a proxy makes the connections to this host"
	case check.Nothing:
		return "no event type has anything to send for it"
	case check.NotAcknowledged:
		return "no event is acknowledged as it is"
	case check.NotAccepted:
		return "good signatures are refused, see signature/accepted"
	case check.NotVerified:
		return "the signature of another key is not refused, see signature/wrong-key"
	case check.NotRepeatable:
		return "no duplicate is acknowledged, see deliveries/duplicate"
	case check.NotCounted:
		return "the count command failed: " + Safe(fmt.Sprint(v.Err))
	case check.Silent:
		return "the handler has not answered anything"
	case check.Gone:
		return "nothing listens there any more, since the last check that failed"
	case check.BodyUnsigned:
		return "an altered body was answered with " + answer + ": v1 does not sign the body, so nobody can tell"
	case check.Replayed:
		return "a signature used twice was answered with " + answer + ": v1 cannot tell; what was done already is known by its id"
	case check.Uncounted:
		return fmt.Sprintf("the number stayed %d: does the command count what the handler does?", v.Counts[0])
	case check.Repeated, check.Dropped:
	}
	return string(v.Reason)
}

// CheckSummary writes the counts in one line.
func (s Style) CheckSummary(r *CheckReport) string {
	sum := r.Summary
	parts := []string{s.good(number(sum.Passed) + " passed")}
	if sum.Failed > 0 {
		parts = append(parts, s.bad(number(sum.Failed)+" failed"))
	} else {
		parts = append(parts, "0 failed")
	}
	if sum.Blocked > 0 {
		parts = append(parts, s.warn(number(sum.Blocked)+" blocked"))
	}
	if sum.Notes > 0 {
		parts = append(parts, Count(sum.Notes, "note"))
	}
	if sum.Skipped > 0 {
		parts = append(parts, number(sum.Skipped)+" skipped")
	}
	return fmt.Sprintf("%s: %s %s", Count(sum.Checks, "check"), strings.Join(parts, ", "), s.faint("("+Duration(r.Took)+")"))
}

// CheckList writes the list of checks: the name, and what is sent.
func (s Style) CheckList(checks []*check.Check) string {
	rows := [][]string{{"CHECK", "WHAT IS SENT"}}
	for _, c := range checks {
		rows = append(rows, []string{c.ID(), c.What})
	}
	return s.Table(rows)
}

// checkJSON is a check as programs read it.
type checkJSON struct {
	Name       string   `json:"name"`
	Group      string   `json:"group"`
	Verdict    string   `json:"verdict"`
	Reason     string   `json:"reason,omitempty"`
	Message    string   `json:"message,omitempty"`
	What       string   `json:"what"`
	Right      string   `json:"right"`
	Hint       string   `json:"hint,omitempty"`
	Deliveries int      `json:"deliveries"`
	Bad        int      `json:"bad"`
	Statuses   []int    `json:"statuses,omitempty"`
	SlowestMS  float64  `json:"slowest_ms"`
	TookMS     float64  `json:"took_ms"`
	Without    []string `json:"without,omitempty"`
	Counts     []int64  `json:"counts,omitempty"`
	Sent       string   `json:"sent,omitempty"`
	Got        *gotJSON `json:"got,omitempty"`
}

// gotJSON is an answer as programs read it.
type gotJSON struct {
	Outcome   string  `json:"outcome"`
	Status    int     `json:"status,omitempty"`
	LatencyMS float64 `json:"latency_ms"`
	Location  string  `json:"location,omitempty"`
	Body      string  `json:"response_body,omitempty"`
	Error     string  `json:"error,omitempty"`
}

func checkValue(r *check.Result) checkJSON {
	v := &r.Verdict
	value := checkJSON{
		Name: r.Check.ID(), Group: r.Check.Group, Verdict: string(v.Kind), Reason: string(v.Reason), What: r.Check.What, Right: r.Check.Right,
		Deliveries: v.Deliveries, Bad: v.Bad, Statuses: v.Statuses, SlowestMS: Milliseconds(v.Slowest), TookMS: Milliseconds(r.Took),
		Without: v.Without, Counts: v.Counts, Sent: v.Sent,
	}
	switch v.Kind {
	case check.Pass:
	case check.Fail:
		value.Message, value.Hint = checkFault(v), checkHint(r)
	case check.Note, check.Skip, check.Blocked:
		value.Message = checkReason(v)
	}
	if o := v.Outcome; o != nil {
		value.Got = &gotJSON{
			Outcome: string(o.Class), Status: o.Status, LatencyMS: Milliseconds(o.Latency), Location: o.Location,
			Body: Excerpt(o.Body, maxGot),
		}
		if o.Err != nil {
			value.Got.Error = o.Err.Error()
		}
	}
	return value
}

// maxGot is how much of an answer is in JSON, in columns.
const maxGot = 2000

// WriteJSON writes the report as one object: checks, then a summary.
func (r *CheckReport) WriteJSON(w io.Writer) error {
	checks := make([]checkJSON, len(r.Results))
	for i := range r.Results {
		checks[i] = checkValue(&r.Results[i])
	}
	text, err := Marshal(struct {
		URL     string        `json:"url"`
		OK      bool          `json:"ok"`
		Seed    uint64        `json:"seed"`
		TookMS  float64       `json:"took_ms"`
		Checks  []checkJSON   `json:"checks"`
		Summary check.Summary `json:"summary"`
	}{r.URL, r.Summary.OK(), r.Seed, Milliseconds(r.Took), checks, r.Summary})
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// WriteJUnit writes the report as JUnit XML: a suite per group, a case per check
// that was made. One that was blocked is an error. Notes, and checks that were
// skipped, are in the output of their suite: not every reader knows of cases that
// were skipped.
func (r *CheckReport) WriteJUnit(w io.Writer, version string) error {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<testsuites>\n")
	var checks []*check.Check
	for i := range r.Results {
		checks = append(checks, r.Results[i].Check)
	}
	for id, group := range check.Groups(checks) {
		r.suite(&b, id, group, version)
	}
	b.WriteString("</testsuites>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (r *CheckReport) suite(w io.Writer, id int, group, version string) {
	var cases, notes strings.Builder
	tests, failures, errs := 0, 0, 0
	var took time.Duration
	for i := range r.Results {
		result := &r.Results[i]
		if result.Check.Group != group {
			continue
		}
		took += result.Took
		v := &result.Verdict
		fault := ""
		switch v.Kind {
		case check.Pass:
		case check.Fail:
			failures++
			fault = `<failure message="` + attribute(checkFault(v)) + `" type="failed">` + junitLines(Style{}.CheckLine(result)) + "</failure>"
		case check.Blocked:
			errs++
			fault = `<error message="` + attribute(checkReason(v)) + `" type="blocked"></error>`
		case check.Note, check.Skip:
			notes.WriteString(junitLines(Style{}.CheckLine(result)))
			continue
		}
		tests++
		fmt.Fprintf(&cases, "    <testcase name=\"%s\" classname=\"%s\" time=\"%.3f\">%s</testcase>\n",
			attribute(result.Check.Name), attribute(group), result.Took.Seconds(), fault)
	}
	fmt.Fprintf(w, "  <testsuite package=\"jc-webhooks\" id=\"%d\" name=\"%s\" timestamp=\"%s\" hostname=\"localhost\" tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n"+
		"    <properties><property name=\"tool\" value=\"%s\"></property><property name=\"seed\" value=\"%d\"></property></properties>\n%s"+
		"    <system-out>%s</system-out>\n    <system-err></system-err>\n  </testsuite>\n",
		id, attribute(group), r.Begin.UTC().Format("2006-01-02T15:04:05"), tests, failures, errs, took.Seconds(),
		attribute("jc-webhooks "+version), r.Seed, cases.String(), notes.String())
}

// junitLines escapes text line by line.
func junitLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(attribute(strings.TrimRight(line, "\n")) + "\n")
	}
	return b.String()
}

// Unreachable says that nobody is there to be tested, and what to do.
func Unreachable(url string, err *check.UnreachableError) (fault, hint string) {
	hint = Diagnosis(&deliver.Outcome{Class: err.Class})
	switch err.Class {
	case deliver.Refused:
		hint = "start your handler, and name it: jc-webhooks test localhost:3000/hooks"
	case deliver.Timeout:
		hint = "no connection in time: check the host and the port, and whether a firewall stands between"
	case deliver.TLS:
		hint = "check http or https, and the certificate; --insecure accepts any certificate"
	}
	return fmt.Sprintf("%s cannot be reached: %s", url, Safe(NetworkCause(err.Err).Error())), hint
}
