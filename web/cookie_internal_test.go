package web

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// No cache keeps an answer that sets a cookie of ours, whatever it was told
// before (E16).
func TestCookieEndsCacheRules(t *testing.T) {
	w := httptest.NewRecorder()
	for _, name := range []string{"Cache-Control", "Cdn-Cache-Control", "Any-Cdn-Cache-Control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires"} {
		w.Header().Set(name, "max-age=600")
	}
	w.Header().Set("X-Other", "stays")
	if err := fuzzCookies(t).setTicket(w, session.NewTicket(time.Now())); err != nil {
		t.Fatal(err)
	}
	got := w.Header().Clone()
	got.Del("Set-Cookie")
	if want := (http.Header{"Cache-Control": {"no-store"}, "X-Other": {"stays"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("the header is %v, want %v", got, want)
	}
}
