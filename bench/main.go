// Command bench measures what a signed-in call costs: the CPU time that
// Cloakroom spends on it, beside that of a bare httputil.ReverseProxy without
// any sign-in, in interleaved rounds of one run.
//
//	taskset -c 1 go run ./bench [-rounds 3] [-requests 60000] [-connections 64]
//
// Each proxy runs as a process of its own on the first core, with GOMAXPROCS=1;
// the upstream and the load share the second. The machine's other work disturbs
// wall-clock time, so what counts is CPU time per request, from /proc, and the
// ratio of the two.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

func main() {
	role := flag.String("role", "", "what this process is; empty: the one that runs the others")
	listen := flag.String("listen", "", "address of the role")
	target := flag.String("target", "", "upstream of the role bare")
	rounds := flag.Int("rounds", 3, "rounds of each proxy")
	requests := flag.Int("requests", 60_000, "requests per round")
	connections := flag.Int("connections", 64, "connections of the load")
	binary := flag.String("binary", "", "a Cloakroom to measure; empty: built from this tree")
	flag.Parse()
	var err error
	switch *role {
	case "upstream":
		err = serveUpstream(*listen)
	case "bare":
		err = serveBare(*listen, *target)
	default:
		err = compare(*binary, *rounds, *requests, *connections)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serveUpstream answers every request with 1 KiB of JSON.
func serveUpstream(listen string) error {
	body := []byte(`{"data":"` + strings.Repeat("x", 1024-11) + `"}`)
	return http.ListenAndServe(listen, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}

// serveBare is what Go gives away: no sign-in, no checks, but a tuned transport.
func serveBare(listen, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 1024, DisableCompression: true,
		},
	}
	return http.ListenAndServe(listen, p)
}

// contender is one proxy under load.
type contender struct {
	name    string
	process *stand.Process
	request []byte
	address string
	results []result
}

func compare(binary string, rounds, requests, connections int) error {
	s, err := newRig(binary)
	if err != nil {
		return err
	}
	defer s.close()
	for round := range rounds + 1 {
		for _, c := range s.contenders {
			r, err := c.measure(requests, connections)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 { // the first one warms up
				c.results = append(c.results, r)
			}
		}
	}
	fmt.Printf("%d requests a round, %d rounds, %d connections, 1 KiB answers, proxy on one core\n\n", requests, rounds, connections)
	fmt.Printf("%-24s %14s %12s %12s %12s\n", "", "CPU µs/request", "requests/s", "p50", "p99")
	for _, c := range s.contenders {
		m := c.median()
		fmt.Printf("%-24s %14.1f %12.0f %12v %12v\n", c.name, m.cpu, m.rate, m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond))
	}
	bare, ours := s.contenders[0].median(), s.contenders[1].median()
	fmt.Printf("\nratio of CPU per request to the bare proxy: %.2f\n", ours.cpu/bare.cpu)
	return nil
}

func (c *contender) median() result {
	by := func(f func(result) float64) float64 {
		var v []float64
		for _, r := range c.results {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return result{
		cpu: by(func(r result) float64 { return r.cpu }), rate: by(func(r result) float64 { return r.rate }),
		p50: time.Duration(by(func(r result) float64 { return float64(r.p50) })),
		p99: time.Duration(by(func(r result) float64 { return float64(r.p99) })),
	}
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	return path
}
