package deliver_test

import (
	"errors"
	"maps"
	"net/url"
	"reflect"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func TestForwardedURL(t *testing.T) {
	for _, tt := range []struct{ target, received, want string }{
		{"http://h/", "/", "http://h/"},
		{"http://h/", "/a/b", "http://h/a/b"},
		{"http://h/x", "/", "http://h/x"},
		{"http://h/x", "/a", "http://h/x/a"},
		{"http://h/x/", "/a", "http://h/x/a"},
		{"http://h/x", "/a/", "http://h/x/a/"},
		{"http://h/x%2fy", "/a%2Fb//c", "http://h/x%2fy/a%2Fb//c"},
		{"http://h/?t=1", "/?a=b&a=%20", "http://h/?t=1&a=b&a=%20"},
		{"http://h/?t=1", "/", "http://h/?t=1"},
		{"http://h/", "/?a", "http://h/?a"},
		{"http://h/x", "//evil.example/a", "http://h/x//evil.example/a"},
		{"http://h/x", "http://evil.example/a?b", "http://h/x/a?b"},
		{"http://h/x", "*", "http://h/x"},
		{"http://h/x", "/../../etc", "http://h/x/../../etc"},
		{"http://h/x", "", "http://h/x"},
	} {
		target, err := url.Parse(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := deliver.Forwarded(&webhook.Delivery{URL: tt.received}, target).URL; got != tt.want {
			t.Errorf("%s behind %s: got %s, want %s", tt.received, tt.target, got, tt.want)
		}
	}
}

func TestEndToEnd(t *testing.T) {
	header := map[string][]string{
		"Connection": {"close, x-hop", "X-Other"}, "X-Hop": {"1"}, "X-Other": {"2"}, "Keep-Alive": {"5"}, "Te": {"trailers"},
		"Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Host": {"a"}, "Content-Length": {"3"},
		"X-Two": {"1", "2"}, "Authorization": {"Bearer x"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"text/plain"},
	}
	before := maps.Clone(header)
	got := deliver.EndToEnd(header)
	want := map[string][]string{"X-Two": {"1", "2"}, "Authorization": {"Bearer x"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"text/plain"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	got["X-Two"][0] = "changed"
	if !reflect.DeepEqual(header, before) || header["X-Two"][0] != "1" {
		t.Errorf("the header became %v", header)
	}
}

func TestVia(t *testing.T) {
	header := map[string][]string{"Via": {"1.1 proxy, 1.0 other"}}
	deliver.AddVia(header, "me-1")
	for by, want := range map[string]bool{"me-1": true, "other": true, "proxy": true, "me": false, "1.1": false} {
		if got := deliver.HasVia(header, by); got != want {
			t.Errorf("%s: got %v", by, got)
		}
	}
}

func TestGateway(t *testing.T) {
	for _, tt := range []struct {
		outcome deliver.Outcome
		want    int
	}{
		{deliver.Outcome{Class: deliver.OK, Status: 201}, 201},
		{deliver.Outcome{Class: deliver.Redirect, Status: 302}, 302},
		{deliver.Outcome{Class: deliver.Status, Status: 500}, 500},
		{deliver.Outcome{Class: deliver.OK, Status: 200, Cut: true}, 502},
		{deliver.Outcome{Class: deliver.Status, Status: 0}, 502},
		{deliver.Outcome{Class: deliver.Status, Status: 42}, 502},
		{deliver.Outcome{Class: deliver.Status, Status: 101}, 502},
		{deliver.Outcome{Class: deliver.Status, Status: 999}, 502},
		{deliver.Outcome{Class: deliver.Timeout, Err: errTest}, 504},
		{deliver.Outcome{Class: deliver.Timeout, Status: 200, Err: errTest}, 504},
		{deliver.Outcome{Class: deliver.Closed, Status: 200, Err: errTest}, 502},
		{deliver.Outcome{Class: deliver.Refused, Err: errTest}, 502},
	} {
		if got, passed := tt.outcome.Gateway(); got != tt.want || passed != (tt.want == tt.outcome.Status && tt.want < 500) && tt.want != 500 {
			t.Errorf("%+v: got %d, %v, want %d", tt.outcome, got, passed, tt.want)
		}
	}
}

var errTest = errors.New("test")
