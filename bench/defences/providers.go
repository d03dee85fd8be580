package main

// providers is the defences that keep several providers apart.
var providers = []defence{
	{
		Name: "an answer counts at its own redirect URI only (H2)", File: "web/login.go",
		Old: "\tcase provider.Callback != r.URL.Path:\n", New: "\tcase false:\n",
		Package: "./web", Test: "TestMixUp",
	},
	{
		Name: "an answer names its issuer (B3, H1)", File: "session/oidc/callback.go",
		Old: "q.Has(\"iss\") && q.Get(\"iss\") != c.cfg.Issuer", New: "q.Has(\"iss\") && q.Get(\"iss\") == \"\"",
		Package: "./web", Test: "TestMixUp",
	},
	{
		Name: "it does so where it was announced (B3)", File: "session/oidc/callback.go",
		Old: "case !q.Has(\"iss\") && m != nil && m.issParam:", New: "case false && m.issParam:",
		Package: "./web", Test: "TestMixUp",
	},
	{
		Name: "a token endpoint stays where it is (H4)", File: "session/oidc/discovery.go",
		Old: "if name := d.current.moved(m); name != \"\"", New: "if name := d.current.moved(m); name == \"none\"",
		Package: "./web", Test: "TestTokenEndpointMovesToAnother",
	},
	{
		Name: "a token endpoint is where the operator says (H4)", File: "session/oidc/discovery.go",
		Old: "if name, at := m.outside(d.origins); name != \"\"", New: "if name, at := m.outside(d.origins); name == \"none\"",
		Package: "./session/oidc", Test: "TestEndpointOrigins",
	},
	{
		Name: "an assertion is for one issuer (L4)", File: "session/oidc/clientauth.go",
		Old: "\"aud\": a.cfg.Issuer", New: "\"aud\": m.token",
		Package: "./web", Test: "TestProvidersApart",
	},
	{
		Name: "a provider can read its own key alone (H3)", File: "web/user.go",
		Old: "name == \"\" || p.Name() == name", New: "true",
		Package: "./web", Test: "TestKeysOfSeveralProviders",
	},
	{
		Name: "one key in two files is one key (H3)", File: "cmd/cloakroom/inspect.go",
		Old: "signers[keyText(signer)]; twice {", New: "signers[keyText(signer)]; twice && first < 0 {",
		Package: "./cmd/cloakroom", Test: "TestCheckOneKeyForTwo",
	},
	{
		Name: "one redirect URI is without a name (H2)", File: "cmd/cloakroom/config_valid_several.go",
		Old: "p.Callback == \"plain\" && other", New: "p.Callback == \"\" && other",
		Package: "./cmd/cloakroom", Test: "TestSeveralProvidersMeaning",
	},
	{
		Name: "a user is issuer and subject (B9)", File: "session/session.go",
		Old: "a.Issuer == b.Issuer && a.Subject", New: "a.Subject",
		Package: "./web", Test: "TestSignInAtAnotherProvider",
	},
	{
		Name: "sessions are found by issuer and subject (B9)", File: "session/keyring.go",
		Old: "len(issuer), issuer, len(value)", New: "0, \"\", len(value)",
		Package: "./web", Test: "TestSameSubIsTwoPeople",
	},
	{
		Name: "a logout is of one issuer, whatever the store does (B9)", File: "session/logout.go",
		Old: "return who.Issuer == issuer && (", New: "return (",
		Package: "./web", Test: "TestSameSubWithSickStore",
	},
	{
		Name: "tokens go where they came from (D14)", File: "session/load.go",
		Old: "return p, ok && p.Issuer == who.Issuer && p.ClientID == who.ClientID", New: "return p, ok",
		Package: "./cmd/cloakroom", Test: "TestProviderGoes",
	},
	{
		Name: "one provider's outage is not the other's (K3)", File: "session/renew.go",
		Old: "return s.m.gates[s.who.Provider]", New: "return s.m.gates[\"main\"]",
		Package: "./web", Test: "TestOneProviderDown",
	},
}
