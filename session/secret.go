package session

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a [Secret] would have been printed.
const redacted = "[redacted]"

// Secret is a value that must not be printed: a token, a code, a code
// verifier, a client secret. Every way of formatting, logging or marshalling it
// yields "[redacted]"; only Reveal gives the value, so that each place where
// one leaves the process can be found by that name.
type Secret string

// Reveal returns the value itself. Write it where it is meant to go and
// nowhere else.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// Format writes "[redacted]" for every verb: %x and %q would otherwise reach
// the value past String.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps the value out of the logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the value out of JSON and YAML. What must be stored is
// revealed field by field and sealed.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
