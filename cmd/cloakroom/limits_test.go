package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// G16: what a sibling site piles up in the Cookie header ends here, with 431, and
// never at the API.
func TestLimits(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	write(t, s.dir, "config.yaml", s.config("log: {level: debug}", "limits: {header: 8KiB}"))
	p := s.serve()
	tests := []struct {
		name    string
		cookies int // of 1 KB each
		want    int
	}{
		{"ordinary", 1, http.StatusUnauthorized},
		{"a pile of cookies under the limit", 7, http.StatusUnauthorized},
		{"a cookie bomb", 60, http.StatusRequestHeaderFieldsTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, s.origin+"/api/orders", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-CSRF", "1")
			for i := range tt.cookies {
				r.AddCookie(&http.Cookie{Name: fmt.Sprintf("c%d", i), Value: strings.Repeat("a", 1000)})
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
	if n := len(s.api.Requests()); n != 0 {
		t.Errorf("the API got %d calls, want none", n)
	}
	p.stop()
	p.wait()
}
