package demo

import (
	"encoding/json"
	"io"
	"net/http"
)

// payment is what a user approves.
type payment struct {
	To     string `json:"to"`
	Amount int    `json:"amount"` // euros
}

// payments approves one payment, and says of which sign-in the token is that it was
// approved with. Whether that is strong enough is for the route in front to say.
func (a *API) payments(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		writeJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": "method_not_allowed"})
		return
	}
	var p payment
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&p); err != nil || p.To == "" || p.Amount <= 0 {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_payment", "why": `want {"to": somebody, "amount": euros}`})
		return
	}
	claims := claimsOf(r)
	writeJSON(w, http.StatusCreated, map[string]any{
		"subject": claims["sub"], "approved": p, "acr": claims["acr"], "auth_time": claims["auth_time"],
	})
}

// admin answers what is for administrators; the route in front lets no others
// through.
func (a *API) admin(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	orders, requests := len(a.orders), a.arrived
	a.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"subject": claimsOf(r)["sub"], "orders": orders, "requests": requests})
}
