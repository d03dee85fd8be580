package session_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E10: a thief may copy the jar or the disk, once or again and again, keep what
// he gets and present any of it, in any rhythm. As long as he and the owner both
// go on with tickets of their own, the session ends.
func TestAnyThiefIsNoticed(t *testing.T) {
	histories := uint64(4000)
	if testing.Short() {
		histories = 400
	}
	worst, calls := 0.0, 0
	for seed := range histories {
		r := rand.New(rand.NewPCG(seed, 4))
		pause := []time.Duration{2 * time.Second, 15 * time.Second, 40 * time.Second, 80 * time.Second, 6 * time.Minute, 20 * time.Minute}[r.IntN(6)]
		limit := 2*rotateEvery + 15*time.Minute + 25*pause
		took, n, ended := anyThief(t, r, pause, 2*limit)
		calls += n
		worst = max(worst, took.Seconds()/limit.Seconds())
		if took > limit || len(ended) != 1 || ended[0] != session.ReasonReplay {
			t.Fatalf("seed %d, pauses up to %v: over after %v (%v), want a replay within %v", seed, pause, took, ended, limit)
		}
	}
	t.Logf("%d histories, %d calls, the latest end at %.0f%% of the limit", histories, calls, 100*worst)
}

func anyThief(t *testing.T, r *rand.Rand, pause, patience time.Duration) (took time.Duration, calls int, ended []string) {
	h := newHall(t, rotateEvery)
	owner := &holder{hall: h, ticket: h.first, keeps: true}
	disk := owner.ticket
	for range r.IntN(40) { // the owner alone
		h.pass(time.Duration(r.Int64N(int64(time.Minute))))
		disk = owner.ticket
		owner.call()
	}
	bag := []session.Ticket{[]session.Ticket{disk, owner.ticket}[r.IntN(2)]}
	again, restarts, loses, keeps := r.IntN(3), r.IntN(3) == 0, r.IntN(3), r.IntN(4)
	copied := h.now
	for h.now.Sub(copied) < patience {
		h.pass(time.Duration(r.Int64N(int64(pause))))
		if restarts && r.IntN(5) == 0 {
			h.pass(2 * time.Second)
			h.restart(r.IntN(2) == 0)
		}
		calls++
		served := true
		if r.IntN(2) == 0 {
			owner.keeps = r.IntN(4) >= loses
			served = owner.call()
		} else {
			mine := bag[len(bag)-1]
			if r.IntN(5) == 0 {
				mine = bag[r.IntN(len(bag))]
			}
			var next session.Ticket
			next, served = h.call(mine)
			if next != mine && r.IntN(4) <= keeps {
				bag = append(bag, next)
			}
			if again > 0 && r.IntN(10) == 0 {
				again-- // once more, from the jar
				bag = append(bag, owner.ticket)
			}
		}
		if !served {
			break
		}
	}
	return h.now.Sub(copied), calls, h.ended.all()
}
