//go:build !faultpoints

package main

import (
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// faultyStore and faultyRenewer stand where a build for tests can kill itself:
// see fault_on.go. Here they are nothing.

func faultyStore(s session.Store) session.Store { return s }

func faultyRenewer(c *oidc.Client) session.Renewer { return c }
