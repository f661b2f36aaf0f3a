package check_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/check"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func Example() {
	// A handler that does not know HEAD.
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotImplemented)
		}
	}))
	defer handler.Close()

	catalog, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	checks, err := check.Select(check.List(catalog), []string{"probes"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	suite, err := check.New(catalog, check.Options{URL: handler.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = suite.Run(context.Background(), checks, func(r check.Result) error {
		fmt.Println(r.Check.ID(), r.Verdict.Kind, r.Verdict.Outcome.Status)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// probes/get pass 200
	// probes/head fail 501
	// probes/empty-post pass 200
}
