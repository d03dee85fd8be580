package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultConfig returns the defaults: everything but the public URL, the
// providers and the routes, which nobody can guess. Relative paths are still
// relative.
func DefaultConfig() *Config {
	return &Config{
		Listen:          "127.0.0.1:8080",
		BasePath:        "/bff",
		HSTS:            "host",
		KeysFile:        "data/keys",
		LoginFrom:       "any",
		ShutdownTimeout: 30 * time.Second,
		Session: Session{
			Idle:         30 * time.Minute,
			Absolute:     12 * time.Hour,
			RotateEvery:  15 * time.Minute,
			RenewBefore:  time.Minute,
			RenewTimeout: 10 * time.Second,
			Bind:         "log",
			RecentAuth:   15 * time.Minute,
			Cookie:       Cookie{Name: "session", SameSite: "strict"},
		},
		Store: Store{Bolt: Bolt{Path: "data/sessions.db"}},
		Limits: Limits{
			Header: 32 << 10, Body: 10 << 20, StreamsPerSession: 20, EventStreams: 10_000, SessionsInMemory: 100_000,
			Rates: Rates{SignIns: 120, Callbacks: 120, Renewals: 30, RefusedTickets: 600, CSPReports: 60},
		},
		Admin: Admin{Listen: "127.0.0.1:9090", TokenFile: "data/admin-token"},
		Log:   Log{Level: "info", Format: "json"},
	}
}

// DefaultProvider returns a provider's defaults; name, issuer, client id and
// credential are missing.
func DefaultProvider() Provider {
	return Provider{
		Auth:         "client_secret_basic",
		Callback:     "auto",
		Scopes:       []string{"openid", "profile", "email"},
		TokenTimeout: 15 * time.Second,
		RefreshReuse: RefreshReuse{Mode: "none"},
		LogoutTyp:    "required",
		Revoke:       "auto",
		Renew:        "background",
		LogoutHint:   "id_token",
		PostLogout:   "/bff" + signedOutPath,
	}
}

// signedOutPath is our page of that name, under the base path.
const signedOutPath = "/signed-out"

// DefaultRoute returns a route's defaults; path and upstream are missing.
func DefaultRoute() Route {
	return Route{
		Auth:      "required",
		Token:     "access",
		Timeout:   30 * time.Second,
		Activity:  true,
		Documents: "none",
		Cache:     "private",
		Host:      "upstream",
	}
}

// setDefaults is called by the decoder on each new list entry.
func (p *Provider) setDefaults() { *p = DefaultProvider() }
func (r *Route) setDefaults()    { *r = DefaultRoute() }

// Size is a number of bytes, written as 512B, 32KiB, 10MiB or 1GiB.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

// ParseSize reads a size. It reports false for anything but a whole number
// and one of the units, so that nobody has to know what "10M" means here.
func ParseSize(s string) (Size, bool) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > math.MaxInt64/uint64(u.bytes) {
			return 0, false
		}
		return Size(int64(n) * u.bytes), true
	}
	return 0, false
}

// String writes the size in the largest unit that keeps it a whole number.
func (s Size) String() string {
	best := sizeUnits[len(sizeUnits)-1]
	for _, u := range sizeUnits[:len(sizeUnits)-1] {
		if s != 0 && int64(s)%u.bytes == 0 {
			best = u
		}
	}
	return strconv.FormatInt(int64(s)/best.bytes, 10) + best.suffix
}
