package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/check"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

// checked is a report with every kind of verdict, and texts that every format has
// to escape.
func checked() *report.CheckReport {
	r := &report.CheckReport{URL: "http://127.0.0.1:3000/", Seed: 7, Begin: time.Unix(1e9, 0), Took: 1200 * time.Millisecond}
	one := &check.Check{Group: "one", Name: "name", What: "what is sent", Right: "a 2xx status", Hint: "do it right"}
	two := &check.Check{Group: "two", Name: `a<b&"`, What: "what is sent", Right: "a 2xx status"}
	answer := func(status int, body string, err error) *deliver.Outcome {
		o := &deliver.Outcome{Class: deliver.Status, Status: status, Body: []byte(body), Latency: 3 * time.Millisecond, Err: err, Header: http.Header{}}
		if err != nil {
			o.Class = deliver.Failed
		}
		return o
	}
	for _, v := range []check.Verdict{
		{Kind: check.Pass, Deliveries: 1, Statuses: []int{200}, Slowest: 3 * time.Millisecond, Outcome: answer(200, "", nil), Sent: "it"},
		{Kind: check.Pass, Deliveries: 44, Statuses: []int{0, 200, 202}, Slowest: time.Second, Without: []string{"x.y"}},
		{Kind: check.Fail, Deliveries: 3, Bad: 2, Statuses: []int{500}, Outcome: answer(500, "<oops>]]> & \x1b[31m\u202e\n\x00\xff", nil), Sent: "a \x1b thing"},
		{Kind: check.Fail, Deliveries: 1, Bad: 1, Outcome: answer(0, "", errors.New("bad \x1b news")), Sent: "it"},
		{Kind: check.Fail, Reason: check.Repeated, Counts: []int64{1, 3, 5, 9}},
		{Kind: check.Blocked, Reason: check.NotCounted, Err: errors.New("exit status 1: \x1b")},
		{Kind: check.Note, Reason: check.Uncounted, Counts: []int64{4, 4, 4, 4}},
		{Kind: check.Note, Reason: check.BodyUnsigned, Outcome: answer(200, "", nil)},
		{Kind: check.Skip, Reason: check.NoSecret},
	} {
		r.Add(check.Result{Check: one, Verdict: v, Took: 5 * time.Millisecond})
		r.Add(check.Result{Check: two, Verdict: v})
	}
	return r
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	r := checked()
	var b strings.Builder
	for i := 0; i < len(r.Results); i += 2 {
		b.WriteString(report.Style{}.CheckLine(&r.Results[i]))
	}
	b.WriteString(report.Style{}.UnmadeLine(r.Results[len(r.Results)-2:]))
	b.WriteString(report.Style{}.CheckSummary(r) + "\n")
	const want = `ok       one/name                        200 in 3ms
ok       one/name                        44 answers: closed, 200, 202, the slowest in 1s; without x.y, not acknowledged as it is
FAIL     one/name                        500; 2 of 3 answers wrong
         sent:  a \x1b thing
         got:   500 Internal Server Error in 3ms  <oops>]]> & \x1b[31m\u202e \x00\xff
         right: a 2xx status
         hint:  do it right
FAIL     one/name                        failed
         sent:  it
         got:   bad \x1b news
         right: a 2xx status
         hint:  do it right
FAIL     one/name                        duplicates change the number
         sent:  what is sent
         got:   +2 by each event once, +2 by the same once more, +4 by new ones several times at once
         right: a 2xx status
         hint:  do it right
blocked  one/name                        the count command failed: exit status 1: \x1b
note     one/name                        the number stayed 4: does the command count what the handler does?
note     one/name                        an altered body was answered with 200: v1 does not sign the body, so nobody can tell
skipped  one/name                        needs the API secret: set JC_WEBHOOKS_SECRET, or name a --secret-file
skipped  one (2 checks)                  needs the API secret: set JC_WEBHOOKS_SECRET, or name a --secret-file
18 checks: 4 passed, 6 failed, 2 blocked, 4 notes, 2 skipped (1.2s)
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	r := checked()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var read struct {
		OK     bool
		Checks []struct {
			Name, Verdict, Message string
			Got                    *struct{ Status int }
		}
		Summary check.Summary
	}
	if err := json.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.OK || len(read.Checks) != len(r.Results) || read.Summary != r.Summary || bytes.ContainsAny(b.Bytes(), "\x1b\x00") {
		t.Errorf("got %s", b.Bytes())
	}
	if c := read.Checks[4]; c.Name != "one/name" || c.Verdict != "fail" || c.Message != "500; 2 of 3 answers wrong" || c.Got.Status != 500 {
		t.Errorf("got %+v", c)
	}
}

func TestCheckJUnitAgainstItsSchemas(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"JUnit.xsd", "jenkins-junit.xsd"} {
		xsd := official(t, name)
		xmllint, err := exec.LookPath("xmllint")
		if err != nil {
			t.Fatal("xmllint is missing")
		}
		for _, r := range []*report.CheckReport{checked(), {Begin: time.Now()}} {
			cmd := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", xsd, "-")
			var b bytes.Buffer
			if err := r.WriteJUnit(&b, "1.2.3"); err != nil {
				t.Fatal(err)
			}
			cmd.Stdin = &b
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}
