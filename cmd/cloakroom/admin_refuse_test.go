package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A flood has one line a minute, which tells how many it stands for.
func TestFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f folded
		var told []int
		for range 150 {
			if times := f.add(time.Now()); times > 0 {
				told = append(told, times)
			}
			time.Sleep(time.Second)
		}
		if want := []int{1, 60, 60}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	})
}
