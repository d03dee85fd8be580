package stand

import (
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	all := []string{"json-1", "json-64", "h2"}
	key := strings.ToLower
	for names, want := range map[string]int{"": len(all), "json-64": 1, "h2,json-1": 2, "json": 0, "json-1,nope": 0} {
		got, err := Choose(all, key, names)
		if len(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v, want %d", names, len(got), err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "json-1,json-64,h2") {
			t.Errorf("%q: %v, want what there is", names, err)
		}
	}
	// In the order of the list: scenarios of one setup stay together.
	if got, _ := Choose(all, key, "h2,json-1"); !slices.Equal(got, []string{"json-1", "h2"}) {
		t.Errorf("got %v", got)
	}
}
