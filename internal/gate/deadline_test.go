package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"landline/internal/gate"
)

func TestDeadlineWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d gate.Deadline
		start := time.Now()
		d.Set(start.Add(time.Hour))
		done := d.Done()
		d.Set(start.Add(time.Minute)) // earlier, for those who wait already
		<-done
		if got := time.Since(start); got != time.Minute || !d.Passed() {
			t.Errorf("woken after %v, passed %v", got, d.Passed())
		}
		d.Close()
	})
}

func TestLaterDeadlineIsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d gate.Deadline
		start := time.Now()
		d.Set(start.Add(time.Minute))
		done := d.Done()
		d.Set(start.Add(time.Hour))
		<-done
		if got := time.Since(start); got != time.Hour {
			t.Errorf("woken after %v", got)
		}
		d.Close()
	})
}

func TestPassedDeadlineCanBeMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d gate.Deadline
		d.Set(time.Now().Add(-time.Second))
		if !d.Passed() {
			t.Error("a time in the past has not passed")
		}
		d.Set(time.Time{})
		if d.Passed() {
			t.Error("never has passed")
		}
		select {
		case <-d.Done():
			t.Error("the channel of never is closed")
		default:
		}
		d.Close()
	})
}

func TestClosedDeadlineHasPassedForGood(t *testing.T) {
	var d gate.Deadline
	done := d.Done()
	d.Close()
	<-done
	d.Set(time.Time{})
	<-d.Done()
	d.Close()
	if !d.Passed() {
		t.Error("it can be moved after it was closed")
	}
}

func TestZeroDeadlineNeverPasses(t *testing.T) {
	var d gate.Deadline
	if d.Passed() {
		t.Error("it has passed")
	}
}
