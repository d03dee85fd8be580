package main

import (
	"os"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// rig is everything that runs: upstream, Cloakroom with its provider, and the
// contenders, the bare proxy first.
type rig struct {
	dir        string
	upstream   *stand.Process
	cloakroom  *stand.Cloakroom
	contenders []*contender
}

func newRig(binary string) (_ *rig, err error) {
	s := &rig{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "cloakroom-bench-"); err != nil {
		return nil, err
	}
	upstream, err := stand.FreeAddress()
	if err != nil {
		return nil, err
	}
	if s.upstream, err = role("1", upstream, "-role", "upstream"); err != nil {
		return nil, err
	}
	address, err := stand.FreeAddress()
	if err != nil {
		return nil, err
	}
	bare, err := role("0", address, "-role", "bare", "-target", "http://"+upstream)
	if err != nil {
		return nil, err
	}
	s.contenders = append(s.contenders, &contender{
		name: "bare ReverseProxy", process: bare, address: address,
		request: []byte("GET /api/x HTTP/1.1\r\nHost: " + address + "\r\nAccept: application/json\r\n\r\n"),
	})
	return s, s.addCloakroom(binary, upstream)
}

// addCloakroom starts the real binary, and signs a user in.
func (s *rig) addCloakroom(binary, upstream string) (err error) {
	if binary == "" {
		if binary, err = stand.Build(s.dir); err != nil {
			return err
		}
	}
	if s.cloakroom, err = stand.NewCloakroom(stand.Options{Dir: s.dir, Binary: binary, Upstream: upstream, Core: "0", MaxProcs: 1}); err != nil {
		return err
	}
	if err := s.cloakroom.Start(); err != nil {
		return err
	}
	cookie, err := s.cloakroom.SignIn("alice")
	if err != nil {
		return err
	}
	address := s.cloakroom.Address
	s.contenders = append(s.contenders, &contender{
		name: "Cloakroom, signed in", process: s.cloakroom.Process, address: address,
		request: []byte("GET /api/x HTTP/1.1\r\nHost: " + address + "\r\nAccept: application/json\r\n" +
			"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nCookie: " + cookie + "\r\n\r\n"),
	})
	return nil
}

// role starts this program as another part of the bench.
func role(core, address string, args ...string) (*stand.Process, error) {
	return stand.Start(stand.Command{Path: self(), Args: append(args, "-listen", address), Core: core, MaxProcs: 1, Address: address})
}

func (s *rig) close() {
	for _, c := range s.contenders {
		_ = c.process.Stop()
	}
	if s.cloakroom != nil {
		_ = s.cloakroom.Close()
	}
	_ = s.upstream.Stop()
	_ = os.RemoveAll(s.dir)
}
