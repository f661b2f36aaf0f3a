package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// toolURL is where a reader of a report can learn about the tool.
const toolURL = "https://github.com/jc-webhooks/jc-webhooks"

// Relative returns file as CI systems want it: relative to the folder dir where
// it is below it, with forward slashes.
func Relative(dir, file string) string {
	if filepath.IsAbs(file) {
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			file = rel
		}
	}
	return filepath.ToSlash(filepath.Clean(file))
}

// rule names a kind of problem for CI systems.
func rule(p *schema.Problem) string { return "jc-webhooks/" + p.Keyword }

// sentence is what is wrong and where in the payload, in one line.
func sentence(p *schema.Problem) string {
	if p.Pointer == "" {
		return p.Message
	}
	return p.Pointer + ": " + p.Message
}

// ndjsonReporter writes a line per problem, and one for the summary.
type ndjsonReporter struct{ out *bufio.Writer }

func (*ndjsonReporter) Begin(string) error { return nil }

func (r *ndjsonReporter) Flush() error { return r.out.Flush() }

func (r *ndjsonReporter) Report(v *validate.Verdict) error {
	for _, p := range verdictProblems(v) {
		text, err := Marshal(p)
		if err != nil {
			return err
		}
		r.out.Write(text)
		r.out.WriteByte('\n')
	}
	return nil
}

func (*ndjsonReporter) End(string, validate.Summary, error) error { return nil }

func (r *ndjsonReporter) Close(t *validate.Tally) error {
	text, err := Marshal(struct {
		Summary validate.Summary `json:"summary"`
	}{t.Summary})
	if err != nil {
		return err
	}
	r.out.Write(text)
	r.out.WriteByte('\n')
	return r.out.Flush()
}

// githubReporter writes workflow commands, which GitHub Actions shows at the
// lines that they name.
type githubReporter struct {
	out *bufio.Writer
	dir string
}

func (*githubReporter) Begin(string) error { return nil }

func (r *githubReporter) Flush() error { return r.out.Flush() }

var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func (r *githubReporter) Report(v *validate.Verdict) error {
	file := githubProperty.Replace(Relative(r.dir, v.File))
	for i := range v.Problems {
		p := &v.Problems[i]
		title := p.Keyword
		if v.Event != "" {
			title = v.Event + ": " + title
		}
		fmt.Fprintf(r.out, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", p.Severity, file, p.Pos.Line, p.Pos.Column,
			githubProperty.Replace(Safe(title)), githubData.Replace(Safe(sentence(p))))
	}
	return nil
}

func (r *githubReporter) End(file string, _ validate.Summary, err error) error {
	if err != nil {
		fmt.Fprintf(r.out, "::error file=%s::%s\n", githubProperty.Replace(Relative(r.dir, file)), githubData.Replace(Safe(err.Error())))
	}
	return nil
}

func (r *githubReporter) Close(*validate.Tally) error { return r.out.Flush() }

// maxSummaryRows is how many kinds of problems a step summary lists.
const maxSummaryRows = 50

// Markdown writes a summary for a step of GitHub Actions.
func Markdown(t *validate.Tally) []byte {
	var b bytes.Buffer
	verdict := "all valid"
	if t.Invalid > 0 {
		verdict = number(t.Invalid) + " invalid"
	}
	fmt.Fprintf(&b, "### jc-webhooks validate: %s\n\n", verdict)
	b.WriteString("| files | payloads | valid | invalid | errors | warnings |\n|---:|---:|---:|---:|---:|---:|\n")
	fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", number(t.Files), number(t.Payloads), number(t.Valid),
		number(t.Invalid), number(t.Errors), number(t.Warnings))
	likes := t.Likes()
	if len(likes) == 0 {
		return b.Bytes()
	}
	b.WriteString("\n| count | severity | event | first found |\n|---:|---|---|---|\n")
	for _, l := range likes[:min(len(likes), maxSummaryRows)] {
		fmt.Fprintf(&b, "| %s | %v | %s | %s |\n", number(l.Count), l.First.Severity, markdown(l.Group.Event), markdown(sentence(&l.First)))
	}
	if more := len(likes) - maxSummaryRows; more > 0 {
		fmt.Fprintf(&b, "\nand %s of problems more\n", Count(more, "kind"))
	}
	return b.Bytes()
}

// markdown makes text safe within a cell of a table.
func markdown(text string) string {
	var b strings.Builder
	for _, r := range Safe(text) {
		if strings.ContainsRune("\\`*_{}[]<>()#+-!|&~@", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// gitlabReporter writes a Code Quality report: an array of issues.
type gitlabReporter struct {
	out  *bufio.Writer
	dir  string
	some bool
}

func (*gitlabReporter) Begin(string) error { return nil }

func (r *gitlabReporter) Flush() error { return r.out.Flush() }

type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string `json:"path"`
	Lines struct {
		Begin int `json:"begin"`
	} `json:"lines"`
}

func (r *gitlabReporter) issue(i gitlabIssue) error {
	if r.some {
		r.out.WriteString(",\n")
	} else {
		r.out.WriteString("[\n")
	}
	r.some = true
	text, err := Marshal(i)
	r.out.Write(text)
	return err
}

func (r *gitlabReporter) Report(v *validate.Verdict) error {
	for i := range v.Problems {
		p := &v.Problems[i]
		issue := gitlabIssue{Description: sentence(p), CheckName: rule(p), Severity: "major"}
		if p.Severity == schema.Warning {
			issue.Severity = "minor"
		}
		issue.Location.Path = Relative(r.dir, v.File)
		issue.Location.Lines.Begin = p.Pos.Line
		// The index tells apart two problems of one kind at one place.
		issue.Fingerprint = fingerprint(issue.Location.Path, rule(p), sentence(p), fmt.Sprint(p.Pos.Offset), fmt.Sprint(i))
		if err := r.issue(issue); err != nil {
			return err
		}
	}
	return nil
}

func (r *gitlabReporter) End(file string, _ validate.Summary, err error) error {
	if err == nil {
		return nil
	}
	issue := gitlabIssue{Description: err.Error(), CheckName: "jc-webhooks/unreadable", Severity: "major"}
	issue.Location.Path = Relative(r.dir, file)
	issue.Location.Lines.Begin = 1
	issue.Fingerprint = fingerprint(issue.Location.Path, issue.CheckName, issue.Description)
	return r.issue(issue)
}

func (r *gitlabReporter) Close(*validate.Tally) error {
	if !r.some {
		r.out.WriteString("[")
	}
	r.out.WriteString("]\n")
	return r.out.Flush()
}

func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// sarifReporter writes a SARIF 2.1.0 log. Results are written as they come; the
// tool, with the rules that were met, comes last.
type sarifReporter struct {
	out     *bufio.Writer
	dir     string
	version string
	some    bool
	rules   map[string]bool
	failed  []string
}

func (*sarifReporter) Begin(string) error { return nil }

func (r *sarifReporter) Flush() error { return r.out.Flush() }

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
	Logical []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifRegion struct {
	StartLine   int   `json:"startLine"`
	StartColumn int   `json:"startColumn"`
	ByteOffset  int64 `json:"byteOffset"`
	ByteLength  int   `json:"byteLength"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Properties   map[string]string `json:"properties,omitempty"`
}

// uri is a path as a relative reference.
func uri(path string) string {
	u := url.URL{Path: path}
	return u.String()
}

func (r *sarifReporter) open() {
	if r.some {
		r.out.WriteString(",\n")
		return
	}
	r.some = true
	r.out.WriteString(`{"$schema":"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json","version":"2.1.0",` +
		`"runs":[{"columnKind":"unicodeCodePoints","results":[` + "\n")
}

func (r *sarifReporter) Report(v *validate.Verdict) error {
	for i := range v.Problems {
		p := &v.Problems[i]
		path := Relative(r.dir, v.File)
		res := sarifResult{
			RuleID: rule(p), Level: p.Severity.String(), Message: sarifText{sentence(p)},
			Fingerprints: map[string]string{"problem/v1": fingerprint(path, rule(p), sentence(p), fmt.Sprint(p.Pos.Offset))},
		}
		if v.Event != "" {
			res.Properties = map[string]string{"event": v.Event}
		}
		var l sarifLocation
		l.Physical.Artifact.URI = uri(path)
		l.Physical.Region = &sarifRegion{p.Pos.Line, p.Pos.Column, p.Pos.Offset, p.Length}
		if p.Pointer != "" {
			l.Logical = []sarifLogical{{p.Pointer, "member"}}
		}
		res.Locations = []sarifLocation{l}
		r.rules[res.RuleID] = true
		r.open()
		text, err := Marshal(res)
		if err != nil {
			return err
		}
		r.out.Write(text)
	}
	return nil
}

func (r *sarifReporter) End(file string, _ validate.Summary, err error) error {
	if err != nil {
		r.failed = append(r.failed, Relative(r.dir, file)+": "+err.Error())
	}
	return nil
}

func (r *sarifReporter) Close(*validate.Tally) error {
	if !r.some {
		r.open()
	}
	type sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Help  string    `json:"helpUri"`
	}
	type notification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	rules := []sarifRule{}
	for _, id := range slices.Sorted(maps.Keys(r.rules)) {
		keyword := strings.TrimPrefix(id, "jc-webhooks/")
		rules = append(rules, sarifRule{id, sarifText{ruleText(keyword)}, toolURL + "/blob/main/docs/validate.md"})
	}
	notifications := []notification{}
	for _, text := range r.failed {
		notifications = append(notifications, notification{"error", sarifText{text}})
	}
	tail := map[string]any{
		"tool": map[string]any{"driver": map[string]any{
			"name": "jc-webhooks", "version": r.version, "informationUri": toolURL, "rules": rules,
		}},
		"invocations": []any{map[string]any{
			"executionSuccessful": len(r.failed) == 0, "toolExecutionNotifications": notifications,
		}},
	}
	text, err := Marshal(tail)
	if err != nil {
		return err
	}
	r.out.WriteString("\n],")
	r.out.Write(text[1:])
	r.out.WriteString("]}\n")
	return r.out.Flush()
}

// ruleText says what a kind of problem is.
func ruleText(keyword string) string {
	switch keyword {
	case schema.KeywordSyntax:
		return "The text is not JSON."
	case schema.KeywordEncoding:
		return "The text is not UTF-8."
	case schema.KeywordBOM:
		return "A byte order mark stands before the value."
	case schema.KeywordDuplicate:
		return "An object has a key twice."
	case schema.KeywordNumber:
		return "A number is beyond what can be held."
	case schema.KeywordUndocumented:
		return "The reference does not document this property."
	case schema.KeywordAbsent:
		return "A documented property is absent."
	case validate.KeywordEvent:
		return "The event type is missing or not in the catalog."
	}
	if keyword == validate.KeywordExpected {
		return "A payload is valid that was expected to be invalid."
	}
	return "The keyword " + keyword + " of the event's JSON Schema does not hold."
}

// junitReporter writes a test suite per file: a test case for each invalid
// payload, and one for all valid ones. The counts of a suite stand before its
// cases, so those of one file are kept until its end.
type junitReporter struct {
	out     *bufio.Writer
	dir     string
	version string
	now     func() time.Time

	begun bool
	id    int
	cases spool
	notes spool
	fails int
	start time.Time
}

func (r *junitReporter) Begin(string) error {
	if !r.begun {
		r.out.WriteString(xml.Header + "<testsuites>\n")
	}
	r.begun = true
	r.fails = 0
	r.start = r.now()
	return nil
}

func (r *junitReporter) Flush() error { return r.out.Flush() }

// attribute returns text for use between the quotes of an attribute, or as
// content.
func attribute(text string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(Safe(text))); err != nil {
		return "" // a buffer takes everything
	}
	return b.String()
}

func (r *junitReporter) Report(v *validate.Verdict) error {
	var lines strings.Builder
	first := ""
	for i := range v.Problems {
		p := &v.Problems[i]
		line := fmt.Sprintf("%s:%d:%d: %v: %s", Relative(r.dir, v.File), p.Pos.Line, p.Pos.Column, p.Severity, sentence(p))
		lines.WriteString(attribute(line) + "\n")
		if p.Severity == schema.Error && first == "" {
			first = sentence(p)
		}
	}
	if first == "" {
		_, err := io.WriteString(&r.notes, lines.String())
		return err
	}
	r.fails++
	name := "payload"
	if v.Event != "" {
		name = v.Event
	}
	fmt.Fprintf(&r.cases, "    <testcase name=\"%s\" classname=\"%s\" time=\"0\">\n      <failure message=\"%s\" type=\"invalid\">%s</failure>\n    </testcase>\n",
		attribute(fmt.Sprintf("%s at line %d", name, v.Pos.Line)), attribute(Relative(r.dir, v.File)), attribute(first), lines.String())
	return nil
}

func (r *junitReporter) End(file string, s validate.Summary, err error) error {
	name := attribute(Relative(r.dir, file))
	tests, errs := r.fails, 0
	if s.Valid > 0 {
		tests++
		fmt.Fprintf(&r.cases, "    <testcase name=\"%s\" classname=\"%s\" time=\"0\"></testcase>\n", attribute(Count(s.Valid, "valid payload")), name)
	}
	if err != nil {
		tests++
		errs++
		fmt.Fprintf(&r.cases, "    <testcase name=\"read\" classname=\"%s\" time=\"0\">\n      <error message=\"%s\" type=\"unreadable\"></error>\n    </testcase>\n", name, attribute(err.Error()))
	}
	fmt.Fprintf(r.out, "  <testsuite package=\"jc-webhooks\" id=\"%d\" name=\"%s\" timestamp=\"%s\" hostname=\"localhost\" tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n    <properties><property name=\"tool\" value=\"%s\"></property></properties>\n",
		r.id, name, r.start.UTC().Format("2006-01-02T15:04:05"), tests, r.fails, errs, r.now().Sub(r.start).Seconds(), attribute("jc-webhooks "+r.version))
	r.id++
	if moved := r.cases.moveTo(r.out); moved != nil {
		return moved
	}
	r.out.WriteString("    <system-out>")
	if moved := r.notes.moveTo(r.out); moved != nil {
		return moved
	}
	_, err = r.out.WriteString("</system-out>\n    <system-err></system-err>\n  </testsuite>\n")
	return err
}

func (r *junitReporter) Close(*validate.Tally) error {
	if !r.begun {
		r.out.WriteString(xml.Header + "<testsuites>\n")
	}
	r.out.WriteString("</testsuites>\n")
	return r.out.Flush()
}
