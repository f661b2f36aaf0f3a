package capture_test

import (
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func BenchmarkAppend(b *testing.B) {
	body, err := fixtures.FS.ReadFile("call.completed.json")
	if err != nil {
		b.Fatal(err)
	}
	d := &webhook.Delivery{
		ID: 123456, Received: time.Now(), RemoteAddr: "127.0.0.1:40000", Method: "POST", URL: "/", Status: 200, Body: body,
		Header: map[string][]string{"Host": {"127.0.0.1:2255"}, "Content-Type": {"application/json"}, "Content-Length": {"448"}},
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = capture.Append(dst[:0], d, nil)
	}
	b.SetBytes(int64(len(dst)))
}
