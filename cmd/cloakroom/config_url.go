package main

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/cloakroom/cloakroom/proxy"
)

func parseURL(s string) (any, error) {
	if strings.ContainsFunc(s, notInURL) {
		return nil, errors.New(strangeCharacter)
	}
	u, err := url.Parse(s)
	if err == nil && u.Scheme != "" && u.Hostname() != "" && u.Opaque == "" {
		return u, nil
	}
	const want = "must be a URL with scheme and host, such as https://app.example.com"
	_, rest, whole := strings.Cut(s, "://")
	host, hostErr := hostOf(s)
	switch {
	case err != nil && whole && rest != "":
		return nil, errors.New(want + "; " + strangeHost + "; ports are numbers")
	case hostErr != nil:
		return nil, errors.New(want)
	case loopback(host):
		return nil, errors.New(want + "; did you mean http://" + s + "?") // no secret looks like this
	default:
		return nil, errors.New(want + "; write https:// or http:// before the host")
	}
}

// strangeCharacter is what to do about a URL with a character that none has.
const strangeCharacter = "has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)"

func notInURL(r rune) bool { return unprintable(r) || strings.ContainsRune(` "<>\^`+"`{|}", r) }

// hostName is what resolvers and Host fields agree about. Some names of machines
// have an underscore.
var hostName = regexp.MustCompile(`^([0-9A-Za-z_][0-9A-Za-z_-]*\.)*[0-9A-Za-z_][0-9A-Za-z_-]*\.?$`)

// numberLike are hosts whose last part is a number: nobody but an address has that,
// and browsers rewrite it (URL Standard, "ends in a number").
var numberLike = regexp.MustCompile(`(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?$`)

// strangeHost is what to do about a host that is neither that nor an address.
const strangeHost = "host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone"

// hostProblem says what is wrong with the host and port of a configured URL; empty
// if nothing is.
func hostProblem(u *url.URL) string {
	addr, err := netip.ParseAddr(u.Hostname())
	switch isAddr := err == nil && addr.Zone() == ""; {
	case u.Hostname() == "":
		return "has no host"
	case !isAddr && numberLike.MatchString(u.Hostname()):
		return "has a host that browsers take for an address, and that is none; write all four numbers"
	case !isAddr && !hostName.MatchString(u.Hostname()):
		return "has a host that none can have: " + strangeHost
	case !proxy.ValidPort(u):
		return "the port must be a number from 1 to 65535"
	case strings.HasPrefix(u.Port(), "0"):
		return "the port must be a number from 1 to 65535, without a zero before it"
	}
	return ""
}

func defaultPort(u *url.URL) bool {
	return u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80"
}

// hostOf returns the host of a host:port that can be listened on.
func hostOf(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return host, err
}

// loopback reports whether host is this machine, whatever the resolver says.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// leadsBack is said of an upstream that is this Cloakroom.
const leadsBack = "leads back to Cloakroom itself (listen), which would call itself until nothing is left; write the address of the server behind"

// ourselves reports whether u is where this Cloakroom listens, as far as the file
// tells.
func (v validator) ourselves(u *url.URL) bool {
	host, port, err := net.SplitHostPort(v.cfg.Listen)
	if err != nil || u.Port() != port {
		return false
	}
	// Without a host, or with 0.0.0.0, it listens on loopback too.
	any := host == "" || host == "0.0.0.0" || host == "::"
	return u.Hostname() == host || loopback(u.Hostname()) && (any || loopback(host))
}
