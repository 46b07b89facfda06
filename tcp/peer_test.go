package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/link"
	"landline/wire"
)

// What the shell has to do beside the core is shown to a peer that knows IP alone, and on which the test speaks TCP
// itself: 10.0.0.2, on a cable to a host at 10.0.0.1 and 10.0.0.9.
type peer struct {
	*testing.T
	host  *Layer
	stack *ip.Stack
	port  uint16 // that it sends from
	wire  *link.Impaired

	mu  sync.Mutex
	got []received
}

// A received is a segment that the host has sent.
type received struct {
	src, dst netip.Addr
	ttl, tos uint8
	wire.TCP
}

var (
	hostAddr, hostOther = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")
	peerAddr            = netip.MustParseAddr("10.0.0.2")
)

// withPeer runs a test in a bubble.
func withPeer(t *testing.T, f func(p *peer)) {
	synctest.Test(t, func(t *testing.T) {
		left, right := link.NewCable(link.CableConfig{Checksums: true, Seed: 1})
		p := &peer{T: t, port: 7000, stack: ip.NewStack(ip.Config{Seed: 2}), wire: link.Impair(right, link.Impairment{}, link.Impairment{})}
		p.host = newSimHost(t, left, "10.0.0.1/24", 1, func(*config) {})
		if err := p.host.stack.Interfaces()[1].AddAddress(netip.MustParsePrefix("10.0.0.9/24")); err != nil {
			t.Fatal(err)
		}
		p.stack.Register(wire.ProtoTCP, ip.Transport{Receive: p.receive})
		if _, err := p.stack.Attach(p.wire, ip.InterfaceConfig{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}, NoIPv6: true}); err != nil {
			t.Fatal(err)
		}
		defer p.stack.Close()
		f(p)
	})
}

// receive keeps segments. The checksum of each must be right: "the sender MUST generate it" (MUST-2).
func (p *peer) receive(all []ip.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range all {
		s, err := wire.ParseTCP(append(append([]byte(nil), all[k].Head...), all[k].Body...))
		if err == nil {
			err = s.Verify(all[k].PseudoSum())
		}
		if err != nil {
			p.Error(err)
			continue
		}
		if all[k].Src == peerAddr {
			continue // what goes to all comes back too
		}
		p.got = append(p.got, received{all[k].Src, all[k].Dst, all[k].TTL, all[k].TOS, s})
	}
}

// next returns the segment that the host has sent next.
func (p *peer) next(why string) received {
	p.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		p.Fatalf("nothing was sent: %s", why)
	}
	r := p.got[0]
	p.got = p.got[1:]
	return r
}

// answer is next for one that must have these flags.
func (p *peer) answer(flags wire.TCPFlags, why string) received {
	p.Helper()
	r := p.next(why)
	if r.Flags() != flags {
		p.Fatalf("sent %v, want %v: %s", r.TCP, flags, why)
	}
	return r
}

func (p *peer) silent(why string) {
	p.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.got {
		p.Errorf("sent %v: %s", r.TCP, why)
	}
	p.got = nil
}

// A said is a segment that the peer sends.
type said struct {
	flags    wire.TCPFlags
	seq, ack wire.Seq
	text     string
	badSum   bool
}

// send sends segments to a port of an address, in one batch.
func (p *peer) send(dst netip.Addr, port uint16, all ...said) {
	p.Helper()
	path, err := p.stack.Path(peerAddr, dst, nil)
	if err != nil {
		p.Fatal(err)
	}
	var frames []link.Frame
	for _, s := range all {
		n := wire.TCPLen + len(s.text)
		head := path.AppendHeader(nil, &ip.Header{Protocol: wire.ProtoTCP}, n)
		at := len(head)
		head = wire.AppendTCP(head, &wire.TCPHeader{SrcPort: p.port, DstPort: port, Seq: s.seq, Ack: s.ack, Flags: s.flags, Window: 65535}, nil)
		head = append(head, s.text...)
		wire.TCP(head[at:]).FillChecksum(wire.PseudoSum(peerAddr, dst, wire.ProtoTCP, n))
		if s.badSum {
			head[at+16] ^= 1
		}
		frames = append(frames, link.Frame{Head: head})
	}
	if err := path.Send(frames, nil); err != nil {
		p.Fatal(err)
	}
}

// syn is the peer's first segment, and first the number of what follows it.
var (
	syn   = said{flags: wire.FlagSYN, seq: wire.SeqOf(1000)}
	first = wire.SeqOf(1001)
)

// connect opens a connection to a listener of the host, and returns both ends: the user's, and SND.NXT of the
// peer with what it acknowledges.
func (p *peer) connect(port uint16) (c *Conn, seq, ack wire.Seq) {
	p.Helper()
	l := p.listen(port)
	p.send(hostAddr, port, syn)
	r := p.answer(wire.FlagSYN|wire.FlagACK, "SYN to a listener")
	p.send(hostAddr, port, said{flags: wire.FlagACK, seq: first, ack: r.Seq().Add(1)})
	c, err := l.Accept(context.Background())
	if err != nil {
		p.Fatal(err)
	}
	return c, first, r.Seq().Add(1)
}

func (p *peer) listen(port uint16) *Listener {
	p.Helper()
	l, err := p.host.Listen(ListenConfig{Local: netip.AddrPortFrom(netip.IPv4Unspecified(), port)})
	if err != nil {
		p.Fatal(err)
	}
	return l
}

// dial begins to open a connection to a port of the peer, and returns what comes of it.
func (p *peer) dial(local string, port uint16) <-chan error {
	cfg := DialConfig{Remote: netip.AddrPortFrom(peerAddr, port)}
	if local != "" {
		cfg.Local = netip.MustParseAddrPort(local)
	}
	done := make(chan error, 1)
	go func() {
		c, err := p.host.Dial(context.Background(), cfg)
		if c != nil {
			c.Close()
		}
		done <- err
	}()
	return done
}

func TestSegmentsToAllAreNotAnswered(t *testing.T) {
	withPeer(t, func(p *peer) {
		p.listen(80)
		for _, dst := range []string{"10.0.0.255", "255.255.255.255", "224.0.0.1"} {
			p.send(netip.MustParseAddr(dst), 80, syn)
			p.silent(dst + ": \"MUST silently discard an incoming SYN segment that is addressed to a broadcast or multicast address\" (MUST-57)")
			p.send(netip.MustParseAddr(dst), 81, syn)
			p.silent(dst + ": and nobody who listens there is no reason for a reset")
		}
		if n := p.host.stack.Stats().Drops[ip.DropNoPort]; n != 6 {
			p.Errorf("%d were counted", n)
		}
		p.send(hostAddr, 80, syn)
		p.answer(wire.FlagSYN|wire.FlagACK, "to the host alone it is answered")
	})
}

// "MUST reject as an error a local OPEN call for an invalid remote IP address (e.g., a broadcast or multicast
// address)" (MUST-46).
func TestAllCannotBeDialed(t *testing.T) {
	withPeer(t, func(p *peer) {
		for _, dst := range []string{"10.0.0.255:80", "255.255.255.255:80", "224.0.0.1:80", "[ff02::1]:80"} {
			c, err := p.host.Dial(context.Background(), DialConfig{Remote: netip.MustParseAddrPort(dst)})
			if c != nil || err != syscall.ENETUNREACH {
				p.Errorf("%s: %v", dst, err)
			}
		}
		p.silent("nothing was sent")
	})
}

// "The receiver MUST check it" (MUST-3).
func TestBadChecksumIsDroppedAndCounted(t *testing.T) {
	withPeer(t, func(p *peer) {
		bad := syn
		bad.badSum = true
		p.send(hostAddr, 80, bad)
		p.silent("not even a reset")
		if n := p.host.stack.Stats().Drops[ip.DropOf(wire.ErrTCPChecksum)]; n != 1 {
			p.Errorf("%d were counted", n)
		}
		p.send(hostAddr, 80, syn)
		p.answer(wire.FlagRST|wire.FlagACK, "a good one")
	})
}

// The initial number is a clock of 4 microseconds (MUST-8) and a function of both ends (SHLD-1) that cannot be
// computed without a secret (MUST-9).
func TestInitialNumbersFollowAClockAndASecret(t *testing.T) {
	withPeer(t, func(p *peer) {
		path, err := p.host.stack.Path(hostAddr, peerAddr, nil)
		if err != nil {
			p.Fatal(err)
		}
		now := time.Now()
		iss := func(l *Layer, local, remote uint16, at time.Time) wire.Seq {
			ends := tupleOf(hostAddr, local, peerAddr, remote)
			return l.endpointFor(&ends, &path, at).iss
		}
		start := iss(p.host, 5000, 80, now)
		for _, d := range []time.Duration{4 * time.Microsecond, time.Second, time.Hour} {
			if got := iss(p.host, 5000, 80, now.Add(d)).Since(start); got != int(int32(uint32(d/(4*time.Microsecond)))) {
				p.Errorf("in %v it grew by %d", d, got)
			}
		}
		other := newSimHost(p.T, nowhere(p.T), "10.0.0.1/24", 3, func(*config) {})
		seen := map[wire.Seq]bool{start: true}
		for _, n := range []wire.Seq{iss(p.host, 5001, 80, now), iss(p.host, 5000, 81, now), iss(other, 5000, 80, now)} {
			if seen[n] {
				p.Errorf("%v again", n)
			}
			seen[n] = true
		}
	})
}

// nowhere is a device that leads nowhere.
func nowhere(t *testing.T) link.Device {
	end, other := link.NewCable(link.CableConfig{})
	t.Cleanup(func() { other.Close() })
	return end
}

// A passive OPEN "MUST NOT affect any previously created connection record" (MUST-41), and one may "LISTEN on a
// port while a connection block with the same local port is in SYN-SENT or SYN-RECEIVED state" (MUST-42).
func TestListenersStandBesideConnections(t *testing.T) {
	withPeer(t, func(p *peer) {
		dialed := p.dial("", 80)
		sent := p.answer(wire.FlagSYN, "SYN-SENT")
		l := p.listen(sent.SrcPort())
		p.send(hostAddr, sent.SrcPort(), syn)
		half := p.answer(wire.FlagSYN|wire.FlagACK, "SYN-RECEIVED, at the same port")
		l.Close()
		l = p.listen(sent.SrcPort())
		if _, err := p.host.Listen(ListenConfig{Local: l.Local()}); err != syscall.EADDRINUSE {
			p.Errorf("a second listener: %v", err)
		}
		p.port = 80
		p.send(hostAddr, sent.SrcPort(), said{flags: wire.FlagSYN | wire.FlagACK, seq: wire.SeqOf(1), ack: sent.Seq().Add(1)})
		p.answer(wire.FlagACK, "what was dialed opens")
		if err := <-dialed; err != nil {
			p.Error(err)
		}
		p.answer(wire.FlagACK|wire.FlagFIN, "and is closed")
		p.port = 7001
		p.send(hostAddr, sent.SrcPort(), syn)
		if next := p.answer(wire.FlagSYN|wire.FlagACK, "the new listener takes others"); next.Seq() == half.Seq() {
			p.Error("with the same number")
		}
		p.dial("10.0.0.1:5000", 81)
		p.answer(wire.FlagSYN, "from a port that the user chose")
		if _, err := p.host.Listen(ListenConfig{Local: netip.MustParseAddrPort("0.0.0.0:5000")}); err != syscall.EADDRINUSE {
			p.Errorf("a listener there: %v", err)
		}
	})
}

// The local address is the user's (MUST-43), or IP's if he does not say (MUST-44); for a connection that came in,
// that which it came to (MUST-45). What SYN announces is what the link carries.
func TestSYNHasTheAddressThatWasAskedFor(t *testing.T) {
	withPeer(t, func(p *peer) {
		p.dial("10.0.0.9:0", 80)
		if r := p.answer(wire.FlagSYN, "from an address"); r.src != hostOther {
			p.Errorf("from %v", r.src)
		}
		p.dial("10.0.0.9:5000", 80)
		if r := p.answer(wire.FlagSYN, "from an address and a port"); r.src != hostOther || r.SrcPort() != 5000 {
			p.Errorf("from %v:%d", r.src, r.SrcPort())
		}
		p.dial("", 80)
		r := p.answer(wire.FlagSYN, "from any address")
		if r.src != hostAddr {
			p.Errorf("from %v", r.src)
		}
		var o wire.TCPOptions
		if err := r.ReadOptions(&o); err != nil || o.MSS != 1460 {
			p.Errorf("MSS %d, %v", o.MSS, err)
		}
		p.listen(81)
		for _, dst := range []netip.Addr{hostAddr, hostOther} {
			p.send(dst, 81, syn)
			if r := p.answer(wire.FlagSYN|wire.FlagACK, "to an address"); r.src != dst {
				p.Errorf("%v answers for %v", r.src, dst)
			}
		}
		if err := <-p.dial("10.0.0.77:0", 80); err != syscall.EADDRNOTAVAIL {
			p.Errorf("from an address that is not ours: %v", err)
		}
	})
}

// "if the TCP endpoint is processing a series of queued segments, it MUST process them all before sending any ACK
// segments" (MUST-59), "to aggregate ACK segments whenever possible" (MUST-58).
func TestSegmentsOfABatchAreAcknowledgedOnce(t *testing.T) {
	withPeer(t, func(p *peer) {
		_, seq, ack := p.connect(80)
		var all []said
		for k := range 5 {
			all = append(all, said{flags: wire.FlagACK, seq: seq.Add(3 * k), ack: ack, text: "abc"})
		}
		p.send(hostAddr, 80, all...)
		if r := p.answer(wire.FlagACK, "five segments"); r.Ack() != seq.Add(15) {
			p.Errorf("acknowledges %v", r.Ack())
		}
		p.silent("once")
	})
}

// "If the local TCP connection is closed by the remote side due to a FIN or RST received from the remote side, then the
// local application MUST be informed whether it closed normally or was aborted" (MUST-12).
func TestUserIsToldHowAConnectionEnded(t *testing.T) {
	for flags, want := range map[wire.TCPFlags]error{wire.FlagFIN | wire.FlagACK: io.EOF, wire.FlagRST: syscall.ECONNRESET} {
		withPeer(t, func(p *peer) {
			c, seq, ack := p.connect(80)
			defer c.Close()
			read := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 10))
				read <- err
			}()
			synctest.Wait()
			p.send(hostAddr, 80, said{flags: flags, seq: seq, ack: ack})
			if err := <-read; err != want {
				p.Errorf("after %v: %v, want %v", flags, err, want)
			}
		})
	}
}

// sendUnreachable sends an ICMP error about a segment that the host has sent.
func (p *peer) sendUnreachable(code uint8, r received) {
	p.Helper()
	path, err := p.stack.Path(peerAddr, r.src, nil)
	if err != nil {
		p.Fatal(err)
	}
	quote := wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 64, Protocol: wire.ProtoTCP, Src: r.src, Dst: r.dst}, len(r.TCP))
	icmp := wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, code, 0, append(quote, r.TCP[:8]...))
	head := path.AppendHeader(nil, &ip.Header{Protocol: wire.ProtoICMP}, len(icmp))
	if err := path.Send([]link.Frame{{Head: append(head, icmp...)}}, nil); err != nil {
		p.Fatal(err)
	}
}

// An error goes "to the connection that created the error" (MUST-54). A soft one "MUST NOT abort the connection" (MUST-56), but
// its user can see it (MUST-47, SHLD-25), until the peer takes something again.
func TestICMPIsHeardByItsConnection(t *testing.T) {
	withPeer(t, func(p *peer) {
		c, seq, ack := p.connect(80)
		defer c.Close()
		c.Write([]byte("hello"))
		r := p.next("text")
		if c.Info().Soft != nil {
			p.Error(c.Info().Soft)
		}
		other := r
		other.TCP = append(wire.TCP(nil), r.TCP...)
		other.SetSeq(r.Seq().Add(1000))
		for _, code := range []uint8{wire.ICMPv4NetUnreachable, wire.ICMPv4PortUnreachable} {
			p.sendUnreachable(code, other)
			if i := c.Info(); i.Soft != nil {
				p.Errorf("code %d about something that was not sent: %v", code, i.Soft)
			}
		}
		for code, want := range map[uint8]error{
			wire.ICMPv4NetUnreachable: syscall.ENETUNREACH, wire.ICMPv4HostUnreachable: syscall.EHOSTUNREACH,
			wire.ICMPv4SourceRouteFailed: syscall.EOPNOTSUPP, wire.ICMPv4PortUnreachable: syscall.ECONNREFUSED,
		} {
			p.sendUnreachable(code, r)
			if i := c.Info(); i.Soft != want || i.State != "ESTABLISHED" {
				p.Errorf("code %d: %v, %v", code, i.Soft, i.State)
			}
		}
		p.send(hostAddr, 80, said{flags: wire.FlagACK, seq: seq, ack: ack.Add(5)})
		if i := c.Info(); i.Soft != nil || i.InFlight != 0 {
			p.Errorf("the peer has taken it: %v", i.Soft)
		}
	})
}

// A hard error ends a connection that is being opened: "SHOULD abort the connection" (SHLD-26).
func TestHardErrorIsTheDialersError(t *testing.T) {
	withPeer(t, func(p *peer) {
		for code, want := range map[uint8]error{
			wire.ICMPv4ProtocolUnreachable: syscall.ENOPROTOOPT, wire.ICMPv4PortUnreachable: syscall.ECONNREFUSED,
		} {
			dialed := p.dial("", 80)
			p.sendUnreachable(code, p.answer(wire.FlagSYN, "dialing"))
			if err := <-dialed; err != want {
				p.Errorf("code %d: %v", code, err)
			}
		}
	})
}

// "When the number of transmissions of the same segment reaches or exceeds threshold R1, pass negative advice to the IP
// layer, to trigger dead-gateway diagnosis" (Section 3.8.3, MUST-20): the first hop, which has been heard of a moment ago, is
// asked whether it is there.
func TestSilenceRaisesDoubtsOfTheFirstHop(t *testing.T) {
	withPeer(t, func(p *peer) {
		c, _, _ := p.connect(80)
		defer c.Close()
		p.wire.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		state := func() (s ip.NeighborState) {
			for _, n := range p.host.stack.Interfaces()[1].Neighbors() {
				if n.Addr == peerAddr {
					return n.State
				}
			}
			p.Fatal("it is forgotten")
			return s
		}
		path, err := p.host.stack.Path(hostAddr, peerAddr, nil)
		if err != nil {
			p.Fatal(err)
		}
		path.Confirm()
		c.Write([]byte("hello"))
		for c.Info().Backoff < resendsToDoubt-1 {
			if s := state(); s != ip.NeighborReachable {
				p.Fatalf("%v after %d", s, c.Info().Backoff)
			}
			time.Sleep(10 * time.Millisecond)
		}
		for c.Info().Backoff < resendsToDoubt {
			time.Sleep(10 * time.Millisecond)
		}
		if s := state(); s != ip.NeighborProbe {
			p.Errorf("%v after %d", s, c.Info().Backoff)
		}
	})
}

// "The application layer MUST be able to specify the Differentiated Services field for segments that are sent on a
// connection" (MUST-48), change it (SHLD-21), and have it unchanged (SHLD-22); "the TTL value used to send TCP segments
// MUST be configurable" (MUST-49).
func TestTTLAndTOSAreThoseOfTheUser(t *testing.T) {
	withPeer(t, func(p *peer) {
		c, _, _ := p.connect(80)
		defer c.Close()
		c.SetNoDelay(true)
		for _, want := range []struct{ ttl, tos, sent int }{{0, 0, 0}, {7, 0xb8, 0xb8}, {255, 0xff, 0xfc}, {0, 0, 0}} {
			if err := errors.Join(c.SetTTL(want.ttl), c.SetTOS(want.tos)); err != nil {
				p.Fatal(err)
			}
			c.Write([]byte("hello"))
			if want.ttl == 0 {
				want.ttl = 64
			}
			if r := p.next("text"); int(r.ttl) != want.ttl || int(r.tos) != want.sent {
				p.Errorf("ttl %d, tos %#x, want %+v", r.ttl, r.tos, want)
			}
			p.send(hostAddr, 81, syn)
			if r := p.answer(wire.FlagRST|wire.FlagACK, "of nobody"); r.ttl != 64 || r.tos != 0 {
				p.Errorf("an answer of nobody has ttl %d, tos %#x", r.ttl, r.tos)
			}
		}
		for _, n := range []int{-1, 256} {
			if got := fmt.Sprint(c.SetTTL(n), c.SetTOS(n)); got != fmt.Sprint(syscall.EINVAL, syscall.EINVAL) {
				p.Errorf("%d: %v", n, got)
			}
		}
	})
}

// "the application MUST be able to turn them on or off for each TCP connection" (MUST-24), "they MUST default to off" (MUST-25), and
// the interval "MUST be configurable" (MUST-27).
func TestKeepAliveIsTheUsers(t *testing.T) {
	withPeer(t, func(p *peer) {
		c, seq, ack := p.connect(80)
		defer c.Close()
		time.Sleep(1000 * time.Hour)
		p.silent("it is off")
		p.send(hostAddr, 80, said{flags: wire.FlagACK, seq: seq, ack: ack}) // or it would be asked at once
		c.SetKeepAlive(3*time.Hour, time.Minute, 2)
		for range 2 {
			time.Sleep(3*time.Hour - time.Second)
			p.silent("the peer has been heard of")
			time.Sleep(2 * time.Second)
			if r := p.answer(wire.FlagACK, "a question"); r.Seq() != ack.Add(-1) || len(r.Payload()) != 0 {
				p.Errorf("%v", r.TCP)
			}
			p.send(hostAddr, 80, said{flags: wire.FlagACK, seq: seq, ack: ack})
		}
		c.SetKeepAlive(0, 0, 0)
		time.Sleep(1000 * time.Hour)
		p.silent("it is off again")
	})
}
