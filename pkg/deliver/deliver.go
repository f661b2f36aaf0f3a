// Package deliver sends one delivery to one URL, as JustCall does: an HTTP POST
// of a JSON body whose bytes are not touched.
//
// It must not know the catalog, validation, captures or printing. It says what
// happened as facts; the words are the caller's.
package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

const (
	// DefaultTimeout bounds a delivery from the first byte sent to the last
	// one read. JustCall does not document its own.
	DefaultTimeout = 10 * time.Second

	// MaxResponse is how much of a response body is kept unless
	// [Options.MaxResponse] says otherwise, in bytes. What follows is not
	// read.
	MaxResponse = 64 << 10

	maxResponseHeader = 256 << 10
	idleTimeout       = 30 * time.Second
)

// A Class says in one word how a delivery ended.
type Class string

// OK is a 2xx status, the only one that acknowledges. Redirect is a 3xx status,
// Status any other. The rest are deliveries without a whole response.
const (
	OK       Class = "ok"
	Redirect Class = "redirect"
	Status   Class = "status"
	Refused  Class = "refused"  // nothing listens at the address
	Unknown  Class = "host"     // the host has no address
	Timeout  Class = "timeout"  // it took longer than the limit
	TLS      Class = "tls"      // no trusted connection
	Closed   Class = "closed"   // the connection ended before the response
	Canceled Class = "canceled" // the context was
	Failed   Class = "failed"   // anything else
)

// An Outcome is what came of one delivery.
type Outcome struct {
	Class Class

	// Status is the HTTP status code, or 0 when there was no response.
	Status int

	// Location is the target of a redirect, which is not followed.
	Location string

	// Header is the header of the response.
	Header http.Header

	// Body is the response body, or its beginning when Cut says so.
	Body []byte
	Cut  bool

	// Latency is the time from the start of the request to the end of what
	// was read of the response.
	Latency time.Duration

	// Err says why there was no whole response.
	Err error
}

// OK reports whether the delivery was acknowledged.
func (o *Outcome) OK() bool { return o.Class == OK }

// A Client delivers. It is made by [NewClient], can be used by several
// goroutines, and keeps connections for the next delivery.
type Client struct {
	options Options
	http    http.Client
}

// Options say how a [Client] delivers.
type Options struct {
	// Timeout bounds a delivery; 0 means [DefaultTimeout].
	Timeout time.Duration

	// UserAgent is the User-Agent of deliveries that do not have their own.
	UserAgent string

	// MaxResponse is how much of a response body is kept, in bytes; 0 means
	// [MaxResponse].
	MaxResponse int64

	// Insecure accepts any certificate.
	Insecure bool

	// Fresh makes a connection of its own for each delivery, so that none
	// bears what an earlier one left behind.
	Fresh bool
}

// NewClient returns a client. It does not follow redirects, does not ask for
// compression, and uses the proxy that the environment names for hosts other
// than this one.
func NewClient(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = MaxResponse
	}
	c := &Client{options: o}
	c.http = http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableCompression:     true,
			DisableKeepAlives:      o.Fresh,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    100,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: o.Insecure}, //nolint:gosec // only where it is asked for
		},
	}
	return c
}

// Request returns the request that [Client.Do] would send.
func (c *Client) Request(ctx context.Context, d *webhook.Delivery) (*http.Request, error) {
	method := d.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)
	for name, values := range d.Header {
		if name == "Host" {
			if len(values) > 0 {
				req.Host = values[0]
			}
			continue
		}
		req.Header[name] = values
	}
	return req, nil
}

// Do makes one delivery. Its URL must be absolute, as [ParseURL] returns it.
func (c *Client) Do(ctx context.Context, d *webhook.Delivery) Outcome {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	begin := time.Now()
	var o Outcome
	req, err := c.Request(ctx, d)
	if err == nil {
		var resp *http.Response
		if resp, err = c.http.Do(req); err == nil {
			o.Status, o.Header = resp.StatusCode, resp.Header
			o.Body, err = io.ReadAll(io.LimitReader(resp.Body, c.options.MaxResponse+1))
			if o.Cut = int64(len(o.Body)) > c.options.MaxResponse; o.Cut {
				o.Body = o.Body[:c.options.MaxResponse]
			}
			_ = resp.Body.Close() // nothing is lost: the body was read as far as it is wanted
		}
	}
	o.Latency = time.Since(begin)
	if err != nil {
		o.Class, o.Err = Classify(err), cause(err)
		return o
	}
	switch o.Status / 100 {
	case 2:
		o.Class = OK
	case 3:
		o.Class, o.Location = Redirect, o.Header.Get("Location")
	default:
		o.Class = Status
	}
	return o
}

// cause drops the method and the URL that package http puts before an error.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Classify returns the class of an error because of which there was no whole
// response: one of dialling, of the TLS handshake, of writing or of reading.
func Classify(err error) Class {
	var (
		dns       *net.DNSError
		record    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
		cert      *tls.CertificateVerificationError
		network   net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.As(err, &dns) && !dns.IsTimeout:
		return Unknown
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return Timeout
	case errors.As(err, &record), errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid),
		errors.As(err, &alert), errors.As(err, &cert),
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return TLS
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "actively refused"):
		return Refused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.Contains(err.Error(), "server closed idle connection"): // package http has no other sign of it
		return Closed
	}
	return Failed
}

// ParseHeader reads a header field as "Name: value".
func ParseHeader(s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok:
		return "", "", fmt.Errorf("the header %q has no colon, want \"Name: value\"", s)
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }):
		return "", "", fmt.Errorf("the header %q has the name %q, want letters, digits and hyphens", s, name)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", "", fmt.Errorf("the value of the header %q has control characters", name)
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if name == "Content-Length" || name == "Transfer-Encoding" {
		return "", "", fmt.Errorf("the header %s is made from the body", name)
	}
	return name, value, nil
}

// isToken reports whether r may stand in the name of a header field (RFC 9110,
// section 5.6.2).
func isToken(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
