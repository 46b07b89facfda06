//go:build unix

package remote

import (
	"net"
	"net/netip"
	"testing"

	"landline"
	ethernet "landline/link"
)

// What the line does on sockets of the system, it does on ours.
func TestLineOverLandline(t *testing.T) {
	socketPair = landlinePair
	defer func() { socketPair = unixPair }()
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"streams and code", TestRunGivesBothStreamsAndTheCode},
		{"every exit code", TestEveryExitCodeArrives},
		{"bytes", TestBytesPassUntouched},
		{"long stdin", TestLongStdinArrivesWhole},
		{"both pipes full", TestBothPipesMayBeFullAtOnce},
		{"pauses", TestPausesLoseNothingAndTakeNoMemory},
		{"a paused reader among others", TestPausedReaderHoldsUpNobodyElse},
		{"cancel", TestCancelPassesAStreamThatIsBlocked},
		{"65 calls", TestSixtyFifthCallIsRefusedAndTheOthersLive},
		{"large requests", TestLargeRequestsSideBySideAreNoFlood},
		{"client that vanishes", TestVanishedClientEndsTheGroup},
		{"connection that is lost", TestLostConnectionIsNoEndOfInput},
		{"server that ends", TestServerThatEndsTellsItsClients},
		{"server and breaches", TestServerSaysGoodbyeToBreaches},
		{"server before hello", TestServerIsStrictBeforeHello},
		{"client and breaches", TestClientReportsBreachesAsLost},
		{"goodbye", TestGoodbyeIsHeardWhileSending},
		{"stream", TestStreamArrivesWhole},
		{"detached job", TestDetachedJobOutlivesItsConnection},
		{"copies", TestCopiesBothWays},
	} {
		t.Run(c.name, c.test)
	}
}

// landlinePair returns the two ends of a connection between two hosts on a cable, which end after it.
func landlinePair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	a, b := ethernet.NewCable(ethernet.CableConfig{})
	host := func(dev ethernet.Device, address string) *landline.Host {
		h, err := landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(address)}, NoIPv6: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	left, right := host(a, "10.0.0.1/24"), host(b, "10.0.0.2/24")
	ln, err := right.Listen(t.Context(), "tcp", ":7373")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = left.DialContext(t.Context(), "tcp", "10.0.0.2:7373"); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// A tree goes there and comes back.
func TestCopiesBothWays(t *testing.T) {
	l := newLine(t)
	from, to := t.TempDir(), t.TempDir()
	sampleTree(t, from+"/tree")
	if _, err := l.Put(t.Context(), Copy{Paths: []string{from + "/tree"}, Dest: l.home + "/there"}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, l.home+"/there", from+"/tree")
	if _, err := l.Get(t.Context(), Copy{Paths: []string{"there"}, Dest: to + "/back"}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, to+"/back", from+"/tree")
}
