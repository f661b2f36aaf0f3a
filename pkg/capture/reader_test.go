package capture_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func TestReaderReadsWhatAppendWrites(t *testing.T) {
	want := []*webhook.Delivery{
		{ID: 1, Received: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), RemoteAddr: "[::1]:5", Method: "POST", URL: "/a?b", Header: map[string][]string{"X": {"1", "2"}}, Body: []byte("{\"a\": \"\\u00e9 <&>\u2028\"}\n")},
		{ID: 7, Received: time.Unix(0, 0).UTC(), Method: "POST", URL: "/", Header: map[string][]string{}, Body: []byte{0xff, 0, 1}},
		{ID: 8, Received: time.Unix(0, 0).UTC(), Method: "GET", URL: "/", Header: map[string][]string{}, Body: []byte{}},
	}
	text := []byte("{\"v\":1,\"kind\":\"ready\",\"url\":\"x\"}\n\n")
	for _, d := range want {
		d.Status = 200
		text = capture.Append(text, d, nil)
	}
	r := capture.NewReader(bytes.NewReader(text))
	for i, w := range want {
		got, err := r.Next()
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("%d: got %+v, %v, want %+v", i, got, err, w)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) || r.Torn() != nil {
		t.Errorf("at the end: %v, %v", err, r.Torn())
	}
}

func TestReaderGoesOn(t *testing.T) {
	const good = `{"v":1,"kind":"delivery","id":1,"received":"2026-01-01T00:00:00.000000Z","body":"x"}`
	for _, bad := range []string{
		"garbage", "{}", "[]", `{"v":2,"kind":"delivery"}`, `{"v":1,"kind":"delivery"}`, `{"v":1,"kind":"delivery","body_base64":"?"}`,
		`{"v":1,"kind":"delivery","id":-1,"body":""}`,
	} {
		r := capture.NewReader(strings.NewReader(good + "\n" + bad + "\n" + good + "\n" + good[:20]))
		results := ""
		for {
			_, err := r.Next()
			var record *capture.RecordError
			if errors.Is(err, io.EOF) {
				break
			}
			switch {
			case err == nil:
				results += "ok "
			case errors.As(err, &record) && record.Line == 2:
				results += "bad "
			default:
				t.Fatalf("%s: %v", bad, err)
			}
		}
		if results != "ok bad ok " {
			t.Errorf("%s: %s", bad, results)
		}
		if err := r.Torn(); err == nil || !strings.Contains(err.Error(), "line 4: ") {
			t.Errorf("torn: %v", err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"{\"v\":1,\"kind\":\"delivery\",\"id\":1,\"body\":\"x\"}\n", "{\"v\":1,\"kind\":\"ready\"}\n", "\n\n{", "{\"v\":1,\"kind\":\"delivery\",\"body_base64\":\"/w==\"}\r\n", "null\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := capture.NewReader(bytes.NewReader(text))
		for {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				continue
			}
			again := capture.Append(nil, d, nil)
			back, err := capture.NewReader(bytes.NewReader(again)).Next()
			if err != nil || !bytes.Equal(back.Body, d.Body) || back.ID != d.ID {
				t.Fatalf("%s became %+v, %v", again, back, err)
			}
		}
	})
}
