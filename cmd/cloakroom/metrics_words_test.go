package main

import (
	"fmt"
	"testing"
)

// N8: whatever is counted, a label has a bounded number of values.
func TestVocabulary(t *testing.T) {
	var v vocabulary
	for i := range mostWords {
		if w := fmt.Sprint(i); v.word(w) != w {
			t.Errorf("word %d is not taken", i)
		}
	}
	if got := v.word("one more"); got != "other" {
		t.Errorf("one too many is %q, want other", got)
	}
	if got := v.word("7"); got != "7" {
		t.Errorf("a known one is %q then, want itself", got)
	}
}
