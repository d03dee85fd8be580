package main

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloakroom/cloakroom/session"
)

// scrapeTimeout bounds what a scrape waits for the store.
const scrapeTimeout = 2 * time.Second

// metrics counts for GET /metrics. Its labels are providers of the
// configuration and words from the source: nothing of a user, a session or a
// request (N8). It implements [session.Metrics] and [web.Counter].
type metrics struct {
	registry  *prometheus.Registry
	providers []string

	renewals, rotations, reuse *prometheus.CounterVec
	renewalSeconds             *prometheus.HistogramVec
	begun, loaded, ended       *prometheus.CounterVec
	refusals, signInsRefused   *prometheus.CounterVec
	reports                    *prometheus.CounterVec
	codes, reasons             vocabulary // of the labels of those two
	breaker                    *prometheus.GaugeVec
	keysValid, storeSound      prometheus.Gauge

	pending atomic.Int64 // revocations
	oldest  atomic.Int64 // of them, in ms since 1970; 0: there is none
}

// elsewhere stands for a provider that is not configured any more: what a
// record says must not make new series.
const elsewhere = "unconfigured"

// newMetrics returns metrics for these providers. What is rare is there from the
// start with 0: an alert on its increase would miss the first one.
func newMetrics(providers []string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), providers: providers}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "cloakroom", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.renewals = counter("renewals_total",
		"Token renewals by outcome. refused and identity end a session: many at once mean trouble with the provider. "+
			"unknown and unavailable: look at the provider and the way there.", "provider", "outcome")
	m.rotations = counter("refresh_rotations_total",
		"Renewals that brought another refresh token, or not. If all are false, refresh_reuse may say mode: unlimited.",
		"provider", "rotated")
	m.reuse = counter("refresh_reuse_total",
		"Refresh tokens that had to be sent a second time, and whether the provider took them. Compare with refresh_reuse in the configuration.",
		"provider", "honoured")
	m.begun = counter("sessions_begun_total", "Sign-ins that became sessions.", "provider")
	m.loaded = counter("sessions_loaded_total",
		"Sessions read from the store into memory: of users who come back after ten minutes, and after a restart. "+
			"Many more while sessions_in_memory is at limits.sessions_in_memory: raise that, if there is room.", "provider")
	m.ended = counter("sessions_ended_total",
		"Ended sessions by reason. ticket_replayed is a stolen ticket: look for the audit events session_ended.", "provider", "reason")
	m.refusals = counter("refusals_total",
		"Requests that were refused or failed, by problem code. cross_site, ambiguous_path: somebody is trying. too_many_requests: limits.rates.", "code")
	m.signInsRefused = counter("sign_ins_refused_total",
		"Sign-ins that came back and gave no session, by the reasons of sign_in_refused. client_refused: nobody can sign in.", "reason")
	m.reports = counter("csp_reports_total",
		"What browsers reported of pages that broke their Content-Security-Policy, by directive, with spa.csp_report. Anybody can send these.", "directive")
	m.renewalSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "cloakroom", Name: "renewal_seconds",
		Help:    "How long calls to the token endpoint took. Near token_timeout, users wait and renewals are lost.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
	}, []string{"provider"})
	m.breaker = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "breaker_open",
		Help: "1 while renewals at the provider are held back because it fails. Users lose service as their access tokens run out.",
	}, []string{"provider"})
	m.registry.MustRegister(m.renewalSeconds, m.breaker,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauges()
	m.zero()
	return m
}

// gauges registers what has no provider.
func (m *metrics) gauges() {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "cloakroom", Name: name, Help: help}, read))
	}
	gauge("revocations_pending", "Tokens of ended sessions that the provider was not yet told to revoke, at most 1000. Growing: look at the provider.",
		func() float64 { return float64(m.pending.Load()) })
	gauge("revocations_oldest_seconds", "Age of the oldest pending revocation. Hours: those tokens are still good at the provider.",
		func() float64 {
			if ms := m.oldest.Load(); ms != 0 {
				return max(0, time.Since(time.UnixMilli(ms)).Seconds())
			}
			return 0
		})
	m.keysValid = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "keys_file_valid",
		Help: "0 while keys_file can't be used as it is now. The keys read before serve on, but a restart would fail: mend the file.",
	})
	m.keysValid.Set(1)
	m.storeSound = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "store_sound",
		Help: "0 once damage was met in the store's file: the sessions that lie there are lost, and the next start refuses it if a page is broken. The log says more.",
	})
	m.storeSound.Set(1)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "build_info", Help: "Always 1. The labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.keysValid, m.storeSound, build)
}

// zero makes the series of every provider.
func (m *metrics) zero() {
	for _, code := range []string{"cross_site", "client_refused", "unavailable", "internal", "too_many_requests"} {
		m.refusals.WithLabelValues(m.codes.word(code))
	}
	m.signInsRefused.WithLabelValues(m.reasons.word("client_refused"))
	for _, p := range m.providers {
		for _, outcome := range []string{session.OutcomeRenewed, session.OutcomeRefused, session.OutcomeIdentity, session.OutcomeUnknown, session.OutcomeUnavailable} {
			m.renewals.WithLabelValues(p, outcome)
		}
		for _, reason := range []string{session.ReasonReplay, session.ReasonOwnCrash, session.ReasonRefused, session.ReasonIdentity} {
			m.ended.WithLabelValues(p, reason)
		}
		for _, yes := range []string{"true", "false"} {
			m.rotations.WithLabelValues(p, yes)
			m.reuse.WithLabelValues(p, yes)
		}
		m.begun.WithLabelValues(p)
		m.loaded.WithLabelValues(p)
		m.breaker.WithLabelValues(p)
		m.renewalSeconds.WithLabelValues(p)
	}
}

// watchStore adds whether the store takes writes, as ready says.
func (m *metrics) watchStore(ready func(context.Context) error) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "store_ready",
		Help: "0 while the store takes no writes: nobody can sign in, and renewals wait. /readyz says why.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		if ready(ctx) != nil {
			return 0
		}
		return 1
	}))
}

// watchMemory adds how many sessions are in memory, as count says.
func (m *metrics) watchMemory(count func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "sessions_in_memory",
		Help: "Sessions in memory: those used within ten minutes, at most about limits.sessions_in_memory. Near that limit, see sessions_loaded_total.",
	}, func() float64 { return float64(count()) }))
}

// watchEvents adds how many pages listen, as count says.
func (m *metrics) watchEvents(count func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "event_streams",
		Help: "Pages that listen to /bff/events. At limits.event_streams others are refused (too_many_event_streams), and ask now and then instead.",
	}, func() float64 { return float64(count()) }))
}

// handler answers GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

func (m *metrics) provider(name string) string {
	if slices.Contains(m.providers, name) {
		return name
	}
	return elsewhere
}

// vocabulary bounds the values of one label. They are words of the source, a few
// dozen; should that ever be wrong, a scrape does not grow with it.
type vocabulary struct {
	mu    sync.Mutex
	known map[string]bool // guarded by mu
}

// mostWords bounds a vocabulary.
const mostWords = 100

// word returns w, or "other" if there are too many already.
func (v *vocabulary) word(w string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known[w] {
		return w
	}
	if len(v.known) >= mostWords {
		return "other"
	}
	if v.known == nil {
		v.known = map[string]bool{}
	}
	v.known[w] = true
	return w
}

// Refused implements web.Counter.
func (m *metrics) Refused(code string) { m.refusals.WithLabelValues(m.codes.word(code)).Inc() }

// SignInRefused implements web.Counter.
func (m *metrics) SignInRefused(reason string) {
	m.signInsRefused.WithLabelValues(m.reasons.word(reason)).Inc()
}

// Reported implements web.Counter.
func (m *metrics) Reported(directive string) { m.reports.WithLabelValues(directive).Inc() }

// Renewal implements session.Metrics.
func (m *metrics) Renewal(provider, outcome string, took time.Duration) {
	m.renewals.WithLabelValues(m.provider(provider), outcome).Inc()
	m.renewalSeconds.WithLabelValues(m.provider(provider)).Observe(took.Seconds())
}

// Rotation implements session.Metrics.
func (m *metrics) Rotation(provider string, rotated bool) {
	m.rotations.WithLabelValues(m.provider(provider), strconv.FormatBool(rotated)).Inc()
}

// Reuse implements session.Metrics.
func (m *metrics) Reuse(provider string, honoured bool) {
	m.reuse.WithLabelValues(m.provider(provider), strconv.FormatBool(honoured)).Inc()
}

// Breaker implements session.Metrics.
func (m *metrics) Breaker(provider string, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.breaker.WithLabelValues(m.provider(provider)).Set(value)
}

// Loaded implements session.Metrics.
func (m *metrics) Loaded(provider string) { m.loaded.WithLabelValues(m.provider(provider)).Inc() }

// Began implements session.Metrics.
func (m *metrics) Began(provider string) { m.begun.WithLabelValues(m.provider(provider)).Inc() }

// Ended implements session.Metrics.
func (m *metrics) Ended(provider, reason string) {
	m.ended.WithLabelValues(m.provider(provider), reason).Inc()
}

// Revocations implements session.Metrics.
func (m *metrics) Revocations(pending int, oldest time.Time) {
	m.pending.Store(int64(pending))
	if oldest.IsZero() {
		m.oldest.Store(0)
		return
	}
	m.oldest.Store(oldest.UnixMilli())
}

// providerNames are the names in the configuration.
func providerNames(cfg *Config) []string {
	var names []string
	for _, p := range cfg.Providers {
		names = append(names, p.Name)
	}
	return names
}
