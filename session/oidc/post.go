package oidc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// reply is what a POST came back with.
type reply struct {
	status     int
	body       []byte // may be cut short, see broken
	broken     error  // why body may not be whole; nil if it is
	retryAfter time.Duration
	sent       time.Time // just before the request left
}

// notSent marks an error of post after which the provider certainly has not
// seen the form: the connection failed, or was never made.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

// post sends form to one of the provider's endpoints, at most once, with our
// credential. It goes on when ctx is cancelled, because a token may be
// consumed by then; TokenTimeout ends it. An error that is not a notSent
// leaves open whether the provider has acted.
func (c *Client) post(ctx context.Context, m *metadata, endpoint string, form url.Values) (*reply, error) {
	header := http.Header{
		"Content-Type":    {"application/x-www-form-urlencoded"},
		"Accept":          {"application/json"},
		"Accept-Encoding": {identity},
	}
	if err := c.auth.apply(form, header, m); err != nil {
		return nil, notSent{err}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.TokenTimeout)
	defer cancel()

	// The body's type is unknown to net/http, so it makes no GetBody for it and
	// so can never send it a second time.
	encoded := form.Encode()
	body := &onceBody{r: strings.NewReader(encoded)}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, body)
	if err != nil {
		return nil, notSent{errors.New("endpoint is not usable")}
	}
	req.ContentLength = int64(len(encoded))
	req.Header = header

	out := &reply{sent: c.cfg.Now()}
	res, err := c.poster.Do(req)
	if err != nil {
		if !body.touched.Load() {
			return nil, notSent{netCause(err)}
		}
		return nil, netCause(err)
	}
	defer func() { _ = res.Body.Close() }()
	out.status = res.StatusCode
	out.retryAfter = c.retryAfter(res.Header.Get("Retry-After"))
	out.body, out.broken = readBody(res.Body)
	if out.broken != nil && !errors.Is(out.broken, errTooBig) {
		out.broken = netCause(out.broken)
	}
	return out, nil
}

// onceBody knows whether anybody has begun to read it. As long as nobody has,
// no byte of the form can be on its way; when the call has failed its
// connection is closed, and none can follow.
type onceBody struct {
	r       io.Reader
	touched atomic.Bool
}

func (b *onceBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.r.Read(p)
}

func (*onceBody) Close() error { return nil }

// maxRetryAfter keeps a provider from shutting us up for good.
const maxRetryAfter = 10 * time.Minute

// retryAfter reads the header of that name, seconds or a date (RFC 9110,
// 10.2.3); 0 if it says nothing sensible.
func (c *Client) retryAfter(v string) time.Duration {
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(c.cfg.Now()), 0), maxRetryAfter)
}
