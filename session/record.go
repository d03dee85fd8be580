package session

import (
	"encoding/json"
	"fmt"
	"time"
)

// head is the part of a session that is sealed under the server's keys alone.
type head struct {
	Identity
	Started time.Time // sign-in
	Seen    time.Time // last activity, as last written

	// Ends is set when the session was replaced by a new one of the same user:
	// it serves until then and renews nothing any more.
	Ends time.Time

	Origin origin // where the user signed in from

	Issues lineage // of the ticket; not when they were seen
}

// content is the part of a session that opens only with its ticket.
type content struct {
	Tokens   Tokens
	Claims   json.RawMessage
	ACR      string
	AuthTime time.Time
	Intent   *intent // the renewal that was begun last, if it did not end
	Doubt    bool    // Refresh was sent, and the answer said nothing of it
	Rotated  bool    // Refresh came with a renewal that replaced another one
}

// intent is written before a refresh token is sent, so that whoever finds it
// later knows that the token may be spent.
type intent struct {
	Attempt int       `json:"n"` // 1 or 2: which use of this refresh token
	Token   string    `json:"h"` // digest of the refresh token
	Time    time.Time `json:"t"`
}

// The wire forms spell every field out: [Secret] refuses to be marshalled, and
// renaming a Go field must not change what old files mean. Times are
// milliseconds since 1970, 0 for none.
type wireHead struct {
	Provider string `json:"p"`
	Issuer   string `json:"iss"`
	ClientID string `json:"c"`
	Subject  string `json:"sub"`
	SID      string `json:"sid,omitempty"`
	Started  int64  `json:"st"`
	Seen     int64  `json:"se"`
	Ends     int64  `json:"en,omitempty"`
	Agent    string `json:"ua,omitempty"`
	Network  string `json:"net,omitempty"`

	Confirmed   int64 `json:"ci,omitempty"`
	ConfirmedAt int64 `json:"ca,omitempty"`
	Before      int64 `json:"be,omitempty"`
	Void        int64 `json:"vo,omitempty"`

	Open [][2]int64 `json:"op,omitempty"` // issue and its parent, oldest first
}

type wireContent struct {
	Provider       string          `json:"p"`
	Issuer         string          `json:"iss"`
	ClientID       string          `json:"c"`
	Subject        string          `json:"sub"`
	SID            string          `json:"sid,omitempty"`
	Access         string          `json:"at"`
	Refresh        string          `json:"rt,omitempty"`
	ID             string          `json:"id,omitempty"`
	Scope          string          `json:"sc,omitempty"`
	Obtained       int64           `json:"ob"`
	Expires        int64           `json:"ex"`
	RefreshExpires int64           `json:"rx,omitempty"`
	Claims         json.RawMessage `json:"cl,omitempty"`
	ACR            string          `json:"acr,omitempty"`
	AuthTime       int64           `json:"aut,omitempty"`
	Intent         *intent         `json:"in,omitempty"`
	Rotated        bool            `json:"ro,omitempty"`
	Doubt          bool            `json:"do,omitempty"`
}

func (h head) marshal() ([]byte, error) {
	l := h.Issues
	var open [][2]int64
	for _, i := range l.open {
		open = append(open, [2]int64{i.made, i.parent})
	}
	return json.Marshal(wireHead{
		h.Provider, h.Issuer, h.ClientID, h.Subject, h.SID,
		toMilli(h.Started), toMilli(h.Seen), toMilli(h.Ends),
		h.Origin.agent.String(), h.Origin.network, l.confirmed, l.confirmedAt, l.before, l.void, open,
	})
}

func unmarshalHead(b []byte) (head, error) {
	var w wireHead
	if err := json.Unmarshal(b, &w); err != nil {
		return head{}, fmt.Errorf("session: head: %w", err)
	}
	if w.Provider == "" || w.Issuer == "" || w.Subject == "" || w.Started <= 0 {
		return head{}, fmt.Errorf("session: head: %w", errSealed)
	}
	id := Identity{Provider: w.Provider, Issuer: w.Issuer, ClientID: w.ClientID, Subject: w.Subject, SID: w.SID}
	if w.Confirmed == 0 { // written before tickets had more issues than one
		w.Confirmed = w.Started
	}
	issues := lineage{confirmed: w.Confirmed, confirmedAt: w.ConfirmedAt, before: w.Before, void: w.Void}
	for _, o := range w.Open {
		issues.open = append(issues.open, issue{made: o[0], parent: o[1]})
	}
	return head{
		Identity: id, Started: fromMilli(w.Started), Seen: fromMilli(w.Seen), Ends: fromMilli(w.Ends),
		Origin: origin{newCommon(w.Agent), w.Network}, Issues: issues,
	}, nil
}

// marshal says once more whose content it is: of a tombstone nothing else is left.
func (c content) marshal(who Identity) ([]byte, error) {
	t := c.Tokens
	return json.Marshal(wireContent{
		who.Provider, who.Issuer, who.ClientID, who.Subject, who.SID,
		t.Access.Reveal(), t.Refresh.Reveal(), t.ID.Reveal(), t.Scope,
		toMilli(t.Obtained), toMilli(t.Expires), toMilli(t.RefreshExpires),
		c.Claims, c.ACR, toMilli(c.AuthTime), c.Intent, c.Rotated, c.Doubt,
	})
}

func unmarshalContent(b []byte) (content, Identity, error) {
	var w wireContent
	if err := json.Unmarshal(b, &w); err != nil {
		return content{}, Identity{}, fmt.Errorf("session: tokens: %w", err)
	}
	return content{
		Tokens: Tokens{
			Access: Secret(w.Access), Refresh: Secret(w.Refresh), ID: Secret(w.ID), Scope: w.Scope,
			Obtained: fromMilli(w.Obtained), Expires: fromMilli(w.Expires), RefreshExpires: fromMilli(w.RefreshExpires),
		},
		Claims: w.Claims, ACR: w.ACR, AuthTime: fromMilli(w.AuthTime), Intent: w.Intent, Rotated: w.Rotated, Doubt: w.Doubt,
	}, Identity{Provider: w.Provider, Issuer: w.Issuer, ClientID: w.ClientID, Subject: w.Subject, SID: w.SID}, nil
}

func toMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
