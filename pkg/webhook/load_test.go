package webhook_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func schemaOf(property, value string) string {
	return fmt.Sprintf("{\n  \"description\": \"About %s.\",\n  \"properties\": {\n    %q: {\"const\": %q}\n  }\n}\n", value, property, value)
}

// files makes a file system of names and texts.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func pair(name, property, value string) fstest.MapFS {
	return files(name+".json", fmt.Sprintf("{%q: %q}\n", property, value), name+".schema.json", schemaOf(property, value))
}

func union(all ...fstest.MapFS) fstest.MapFS {
	sum := fstest.MapFS{}
	for _, fsys := range all {
		maps.Copy(sum, fsys)
	}
	return sum
}

// A named file system says where it is.
type named struct {
	fs.FS
	name string
}

func (n named) String() string { return n.name }

func TestLoadCatalog(t *testing.T) {
	base := union(pair("a.one", "event", "a.one"), pair("a.two", "event", "a.two"))
	tests := []struct {
		name    string
		folders []fs.FS
		want    []string
	}{
		{"none", nil, []string{}},
		{"one folder", []fs.FS{base}, []string{"a.one", "a.two"}},
		{"add", []fs.FS{base, pair("b", "event", "b")}, []string{"a.one", "a.two", "b"}},
		{"replace", []fs.FS{base, pair("a.one", "event", "a.one")}, []string{"a.one", "a.two"}},
		{"family", []fs.FS{union(base, pair("live/a.one", "type", "a.one"))}, []string{"a.one", "a.two", "live/a.one"}},
		{"family alone", []fs.FS{pair("live/a.one", "type", "a.one")}, []string{"live/a.one"}},
		{"scenarios", []fs.FS{union(base, files("scenarios/x.json", "[]", "scenarios/x.schema.json", "{}"))}, []string{"a.one", "a.two"}},
		{"folder that starts with a dot", []fs.FS{union(base, files(".git/x.schema.json", "no"))}, []string{"a.one", "a.two"}},
		{"folder without schemas", []fs.FS{union(base, files("sub/x.json", "{}"))}, []string{"a.one", "a.two"}},
		{"other files", []fs.FS{union(base, files("README.md", "#", "x.ndjson", "{}"))}, []string{"a.one", "a.two"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := webhook.LoadCatalog(tt.folders...)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Names(); !slices.Equal(got, tt.want) {
				t.Errorf("names are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadCatalogErrors(t *testing.T) {
	ok := pair("ok", "event", "ok")
	tests := []struct {
		name    string
		folders []fs.FS
		file    string
		line    int
		want    string
	}{
		{
			"orphan sample",
			[]fs.FS{union(ok, files("x.json", "{}"))},
			"x.json", 0,
			"x.json: a sample without a schema (want x.schema.json beside it)",
		},
		{
			"orphan schema",
			[]fs.FS{union(ok, files("x.schema.json", schemaOf("event", "x")))},
			"x.schema.json", 0,
			"x.schema.json: a schema without a sample (want x.json beside it)",
		},
		{
			"orphan in a family",
			[]fs.FS{union(ok, pair("live/x", "type", "x"), files("live/y.json", "{}"))},
			"live/y.json", 0,
			"live/y.json: a sample without a schema (want y.schema.json beside it)",
		},
		{
			"other name",
			[]fs.FS{pair("x", "event", "y")},
			"x.schema.json", 4,
			`x.schema.json:4: the const of property "event" is "y", but the file is named for "x"`,
		},
		{
			"no const",
			[]fs.FS{files("x.json", "{}", "x.schema.json", `{"properties": {"event": {"type": "string"}}}`)},
			"x.schema.json", 0,
			`x.schema.json: no top-level property has a const that is a string (want one with "x")`,
		},
		{
			"const that is no string",
			[]fs.FS{files("x.json", "{}", "x.schema.json", `{"properties": {"event": {"const": 1}}}`)},
			"x.schema.json", 0,
			`x.schema.json: no top-level property has a const that is a string (want one with "x")`,
		},
		{
			"bad schema",
			[]fs.FS{files("x.json", "{}", "x.schema.json", "{\n\n  nope\n}")},
			"x.schema.json", 3,
			"x.schema.json:3: invalid character 'n' looking for beginning of object key string",
		},
		{"schema of another shape", []fs.FS{files("x.json", "{}", "x.schema.json", "{\n\"properties\": []}")}, "x.schema.json", 2, ""},
		{
			"bad sample",
			[]fs.FS{files("x.json", "{\n\"event\": \"x\",\n}", "x.schema.json", schemaOf("event", "x"))},
			"x.json", 3,
			"x.json:3: invalid character '}' looking for beginning of object key string",
		},
		{
			"empty sample",
			[]fs.FS{files("x.json", "", "x.schema.json", schemaOf("event", "x"))},
			"x.json", 1,
			"x.json:1: unexpected end of JSON input",
		},
		{
			"empty folder",
			[]fs.FS{ok, fstest.MapFS{}},
			".", 0,
			".: no event types in this folder (want pairs NAME.json and NAME.schema.json)",
		},
		{
			"same payloads",
			[]fs.FS{union(ok, pair("live/ok", "event", "ok"))},
			"ok.schema.json", 0,
			`ok.schema.json: claims the payloads whose "event" is "ok", as does live/ok.schema.json`,
		},
		{
			"named folder",
			[]fs.FS{named{union(ok, files("x.json", "{}")), "my/events"}},
			"my/events/x.json", 0,
			"my/events/x.json: a sample without a schema (want x.schema.json beside it)",
		},
		{
			"named empty folder",
			[]fs.FS{named{fstest.MapFS{}, "my/events"}},
			"my/events", 0,
			"my/events: no event types in this folder (want pairs NAME.json and NAME.schema.json)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.LoadCatalog(tt.folders...)
			var fault *webhook.LoadError
			if !errors.As(err, &fault) {
				t.Fatalf("got error %v, want a *LoadError", err)
			}
			if fault.File != tt.file || fault.Line != tt.line {
				t.Errorf("fault is at %s:%d, want %s:%d", fault.File, fault.Line, tt.file, tt.line)
			}
			if tt.want != "" && err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if errors.Unwrap(err) == nil {
				t.Error("nothing is wrapped")
			}
		})
	}
}

func TestReplace(t *testing.T) {
	first := pair("x", "event", "x")
	second := files("x.json", "{\"event\": \"x\", \"n\": 1}", "x.schema.json", schemaOf("event", "x"))
	c, err := webhook.LoadCatalog(first, named{second, "mine"})
	if err != nil {
		t.Fatal(err)
	}
	x, ok := c.Lookup("x")
	if !ok || string(x.Sample) != "{\"event\": \"x\", \"n\": 1}" || x.SampleFile != "mine/x.json" || x.SchemaFile != "mine/x.schema.json" {
		t.Errorf("got %+v, want the type of the second folder", x)
	}
	if m, _ := c.Match("event", "x"); m != x {
		t.Error("Match finds another type than Lookup")
	}
}

func TestFamilies(t *testing.T) {
	c, err := webhook.LoadCatalog(union(pair("x", "event", "x"), pair("live/x", "type", "x")))
	if err != nil {
		t.Fatal(err)
	}
	live, ok := c.Lookup("live/x")
	if !ok || live.Family != "live" || live.Property != "type" || live.Value != "x" || live.SampleFile != "live/x.json" {
		t.Errorf("got %+v", live)
	}
	if got, ok := c.Match("type", "x"); !ok || got != live {
		t.Error("a payload of the family is not found by its property")
	}
	if got, ok := c.Match("event", "x"); !ok || got == live || got.Family != "" {
		t.Error("a payload of the root is not found by its property")
	}
	if _, ok := c.Match("event", "live/x"); ok {
		t.Error("a payload is found by a family's name")
	}
	if got, want := c.Properties(), []string{"event", "type"}; !slices.Equal(got, want) {
		t.Errorf("properties are %q, want %q", got, want)
	}
}

// The discriminator is the const that has the name of the file, whatever other
// consts there are.
func TestDiscriminator(t *testing.T) {
	c, err := webhook.LoadCatalog(files("x.json", "{}", "x.schema.json",
		`{"properties": {"a": {"const": "v1"}, "kind": {"const": "x"}, "z": {"const": "v2"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := c.Lookup("x"); x.Property != "kind" || x.Value != "x" {
		t.Errorf("got property %q and value %q, want kind and x", x.Property, x.Value)
	}
}

func TestFixtures(t *testing.T) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range c.Types() {
		if typ.Family != "" || typ.Property != "event" || typ.Value != typ.Name || typ.Description == "" {
			t.Errorf("got %s: family %q, property %q, value %q, description %q", typ.Name, typ.Family, typ.Property, typ.Value, typ.Description)
		}
	}
}

func ExampleLoadCatalog() {
	catalog, err := webhook.LoadCatalog(fstest.MapFS{
		"order.paid.json":        {Data: []byte(`{"event": "order.paid"}`)},
		"order.paid.schema.json": {Data: []byte(`{"description": "Fired when an order is paid.", "properties": {"event": {"const": "order.paid"}}}`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range catalog.Types() {
		fmt.Printf("%s: %s\n", t.Name, t.Description)
	}
	// Output: order.paid: Fired when an order is paid.
}
