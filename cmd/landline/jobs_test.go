package main

import (
	"strings"
	"testing"

	"landline/remote"
)

func TestBeginningOfAnIDIsEnoughWhereItIsOneJobs(t *testing.T) {
	list := []remote.Job{{ID: "abc1", State: remote.Running}, {ID: "abd2"}, {ID: "abd", Code: 3}}
	for id, want := range map[string]string{"abc": "abc1", "abd": "abd", "abd2": "abd2", "b": "b", "": ""} {
		if j, err := jobOf(list, id); j.ID != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", id, j.ID, err, want)
		}
	}
	if j, _ := jobOf(list, "abc"); j.State != remote.Running {
		t.Error("what is known of the job is left out")
	}
	if j, err := jobOf(list, "ab"); err == nil || !strings.Contains(err.Error(), "abc1, abd2, abd") {
		t.Errorf("several jobs: %q, %v", j.ID, err)
	}
}
