//go:build !faultpoints

package main

import "github.com/cloakroom/cloakroom/session"

// faultyStore and faultyRenewer stand where a build for tests can kill itself:
// see fault_on.go. Here they are nothing.

func faultyStore(s session.Store) session.Store { return s }

func faultyRenewer(r session.Renewer) session.Renewer { return r }
