package tcp_test

import (
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// Who awaited room, and finds that another is writing by now, leaves the room to him.
func TestWhoAwaitsRoomDoesNotKeepItFromAWriter(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, _ := connected(t, a, b)
		ca.SetBuffers(4096, 0)
		b.wire.watch(func(s wire.TCP) bool { return false })
		if err := write(ca, string(make([]byte, 4096))); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 2)
		go func() { done <- ca.AwaitRoom() }()
		synctest.Wait()
		go func() { done <- write(ca, "more") }()
		synctest.Wait()
		b.wire.watch(nil)
		for ca.Info().InFlight > 0 { // until all of it is acknowledged at once
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		for range 2 {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			default:
				t.Error("one waits though there is room")
			}
		}
		ca.Close()
	})
}

// Who has awaited his turn need not write then, and others do not wait for it.
func TestWhoAwaitedRoomNeedNotWrite(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, _ := connected(t, a, b)
		done, filled := make(chan error, 3), make(chan bool)
		go func() {
			_, err := ca.Fill(10, func(room []byte) (int, error) { <-filled; return len(room), nil })
			done <- err
		}()
		synctest.Wait()
		go func() { done <- ca.AwaitRoom() }()
		synctest.Wait()
		go func() { done <- write(ca, "text") }()
		synctest.Wait()
		filled <- true
		synctest.Wait()
		for range 3 {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			default:
				t.Error("one waits though it is his turn")
			}
		}
		ca.Close()
	})
}

// Less than a segment is kept for what follows, and what follows may be a Write.
func TestWriteEndsWhatFillKeeps(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		ca.Fill(10, func(room []byte) (int, error) { return len(room), nil })
		if n := cb.Info().Unread; n != 0 {
			t.Errorf("%d bytes were not kept", n)
		}
		if err := write(ca, "text"); err != nil {
			t.Error(err)
		}
		if n := cb.Info().Unread; n != 14 {
			t.Errorf("%d bytes of 14 have arrived when Write has returned", n)
		}
	})
}
