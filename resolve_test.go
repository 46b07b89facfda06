package landline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dns"
	"landline/link"
)

// A nameServer answers what it has in its zone, and for the rest that there is no such name.
type nameServer struct {
	*landline.UDPConn
	host  *landline.Host
	zone  map[string][]string // by name with a dot at its end
	flags uint16              // of answers, beside those that have to be
	mute  bool
	asked []string

	streamFlags uint16 // as flags, over TCP
	streamAsked []string
	alone       bool // each question over TCP is answered before the next
}

// truncated is the flag of an answer that did not have room for all.
const truncated = 1 << 9

func serveNames(t *testing.T, h *landline.Host, addr string, zone map[string][]string) *nameServer {
	t.Helper()
	s := &nameServer{host: h, zone: zone}
	s.UDPConn = must(h.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr), Port: dns.Port}))
	t.Cleanup(func() { s.Close() })
	go s.serve()
	return s
}

func (s *nameServer) serve() {
	b := make([]byte, 1500)
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		name, t := readQuestion(b[:n])
		s.asked = append(s.asked, name)
		if s.mute && s.flags&truncated == 0 {
			continue
		}
		s.WriteToUDPAddrPort(s.answer(b[:n], name, t, s.flags), from)
	}
}

// streams makes the server answer over TCP too.
func (s *nameServer) streams(addr string) {
	l := must(s.host.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(addr), Port: dns.Port}))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serveStream(c)
		}
	}()
}

// serveStream answers the questions of a connection two at a time, the later one first, as it may, and in pieces.
func (s *nameServer) serveStream(c net.Conn) {
	defer c.Close()
	var answers []byte
	for n := 1; ; n++ {
		b := make([]byte, 2)
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		b = make([]byte, binary.BigEndian.Uint16(b))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		name, t := readQuestion(b)
		s.streamAsked = append(s.streamAsked, name+" "+t.String())
		if s.mute {
			continue
		}
		answer := s.answer(b, name, t, s.streamFlags)
		answers = append(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...), answers...)
		if n%2 == 0 || s.alone {
			for piece := range slices.Chunk(answers, 333) {
				c.Write(piece)
			}
			answers = nil
		}
	}
}

// readQuestion reads the question of a well-formed query.
func readQuestion(b []byte) (name string, t dns.Type) {
	at := 12
	for b[at] != 0 {
		name += string(b[at+1:at+1+int(b[at])]) + "."
		at += 1 + int(b[at])
	}
	return name, dns.Type(binary.BigEndian.Uint16(b[at+1:]))
}

func (s *nameServer) answer(query []byte, name string, t dns.Type, extra uint16) []byte {
	b := slices.Clone(query[:len(query)-11]) // without its additional record
	flags := 0x8180 | extra
	texts, known := s.zone[name]
	if !known {
		flags |= uint16(dns.NXDomain)
	}
	count := uint16(0)
	for _, text := range texts {
		if extra&truncated != 0 && count > 0 {
			break
		}
		a := netip.MustParseAddr(text)
		if a.Is4() != (t == dns.TypeA) {
			continue
		}
		count++
		b = append(b, 0xc0, 12)
		b = binary.BigEndian.AppendUint16(b, uint16(t))
		b = append(b, 0, 1, 0, 0, 0, 60)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.AsSlice())))
		b = append(b, a.AsSlice()...)
	}
	binary.BigEndian.PutUint16(b[2:], flags)
	binary.BigEndian.PutUint16(b[6:], count)
	binary.BigEndian.PutUint16(b[10:], 0)
	return b
}

// takes returns what has been asked, each once.
func (s *nameServer) takes() string {
	synctest.Wait()
	asked := slices.Compact(s.asked)
	s.asked = nil
	return strings.Join(asked, " ")
}

// resolving makes a host that asks the servers at 10.0.0.2 and 10.0.0.3, which both are on the other
// end of its cable.
func resolving(t *testing.T, cfg landline.Config) (asks, answers *landline.Host) {
	a, b := link.NewCable(link.CableConfig{Seed: 1})
	cfg.Addresses, cfg.Probes = prefixes("10.0.0.1/24", "fd00::1/64"), -1
	asks = newHost(t, a, cfg)
	answers = newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24", "10.0.0.3/24"), Probes: -1, Seed: 3})
	return asks, answers
}

var twoServers = []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}

func TestNamesBecomeAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers[:1], Search: []string{"lan"}, Hostname: "Shed"})
		s := serveNames(t, far, "10.0.0.2", map[string][]string{
			"desk.lan.":    {"10.0.0.9", "10.0.0.8", "fd00::9"},
			"four.lan.":    {"10.0.0.4"},
			"empty.lan.":   {},
			"example.com.": {"192.0.2.1", "2001:db8::1"},
		})
		for _, c := range []struct{ network, host, want, asked string }{
			{"ip", "desk.lan", "10.0.0.9 10.0.0.8 fd00::9", "desk.lan."},
			{"ip4", "desk.lan", "10.0.0.9 10.0.0.8", "desk.lan."},
			{"ip6", "desk.lan", "fd00::9", "desk.lan."},
			{"ip", "DESK", "10.0.0.9 10.0.0.8 fd00::9", "desk.lan."},
			{"ip", "four", "10.0.0.4", "four.lan."},
			{"ip", "desk.", "", "desk."},
			{"ip6", "four", "", "four.lan. four."},
			{"ip", "empty.lan", "", "empty.lan. empty.lan.lan."},
			{"ip", "example.com", "2001:db8::1 192.0.2.1", "example.com."},
			{"ip", "localhost", "127.0.0.1 ::1", ""},
			{"ip4", "a.localhost.", "127.0.0.1", ""},
			{"ip", "shed", "10.0.0.1 fd00::1", ""},
			{"ip", "10.0.0.77", "10.0.0.77", ""},
			{"ip", "a..b", "", ""},
		} {
			addrs, err := h.LookupNetIP(t.Context(), c.network, c.host)
			var got []string
			for _, a := range addrs {
				got = append(got, a.String())
			}
			if asked := s.takes(); strings.Join(got, " ") != c.want || asked != c.asked {
				t.Errorf("%s %s: %q by asking for %q", c.network, c.host, got, asked)
			}
			if dnsErr, ok := errors.AsType[*net.DNSError](err); (c.want == "") != (ok && dnsErr.IsNotFound) {
				t.Errorf("%s %s: %v", c.network, c.host, err)
			}
		}
		texts, err := h.LookupHost(t.Context(), "four")
		if err != nil || !slices.Equal(texts, []string{"10.0.0.4"}) {
			t.Errorf("%q, %v", texts, err)
		}
	})
}

func TestDialAndPingTakeNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers[:1]})
		serveNames(t, far, "10.0.0.2", map[string][]string{"desk.lan.": {"10.0.0.3"}})
		c, err := h.DialContext(t.Context(), "udp", "desk.lan:domain")
		if err != nil || c.RemoteAddr().String() != "10.0.0.3:53" {
			t.Fatal(c, err)
		}
		c.Close()
		if r, err := h.Ping(t.Context(), "desk.lan", landline.PingConfig{}); err != nil || r.From != twoServers[1] {
			t.Errorf("%+v, %v", r, err)
		}
		_, err = h.DialContext(t.Context(), "udp", "shed.lan:53")
		if err == nil || err.Error() != "dial udp: lookup shed.lan: no such host" {
			t.Errorf("%v", err)
		}
	})
}

// A server that is silent or refuses costs time once: then the other is asked first.
func TestServersAreTakenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers})
		zone := map[string][]string{"desk.lan.": {"10.0.0.9"}}
		one, two := serveNames(t, far, "10.0.0.2", zone), serveNames(t, far, "10.0.0.3", zone)
		one.mute = true
		for _, want := range []time.Duration{5 * time.Second, 0} {
			start := time.Now()
			_, err := h.LookupNetIP(t.Context(), "ip", "desk.lan")
			if took := time.Since(start); err != nil || took != want {
				t.Errorf("after %v: %v", took, err)
			}
		}
		if one.takes() == "" || two.takes() == "" {
			t.Error("one of them was not asked")
		}
		one.mute, two.flags = false, uint16(dns.ServFail)
		if _, err := h.LookupNetIP(t.Context(), "ip", "desk.lan"); err != nil {
			t.Errorf("while a server fails: %v", err)
		}
	})
}

func TestLookupsSayWhatWentWrong(t *testing.T) {
	for _, c := range []struct {
		what string
		cfg  landline.Config
		set  func(*nameServer)
		took time.Duration
		want net.DNSError
	}{
		{"no server", landline.Config{}, nil, 0, net.DNSError{Err: "no name server is known"}},
		{"silence", landline.Config{DNS: twoServers[:1]}, func(s *nameServer) { s.mute = true }, 10 * time.Second,
			net.DNSError{Err: "i/o timeout", Server: "10.0.0.2:53", IsTimeout: true, IsTemporary: true}},
		{"failure", landline.Config{DNS: twoServers[:1]}, func(s *nameServer) { s.zone["desk.lan."] = nil; s.flags = uint16(dns.ServFail) }, 0,
			net.DNSError{Err: "server misbehaving: server failure", Server: "10.0.0.2:53", IsTemporary: true}},
		{"too long, and no TCP", landline.Config{DNS: twoServers[:1]}, func(s *nameServer) { s.zone["desk.lan."] = nil; s.flags = truncated }, 0,
			net.DNSError{Err: "dial tcp 10.0.0.2:53: connect: connection refused", Server: "10.0.0.2:53"}},
		{"too long, and silent on TCP", landline.Config{DNS: twoServers[:1]}, func(s *nameServer) { s.streams("10.0.0.2"); s.flags = truncated; s.mute = true }, 10 * time.Second,
			net.DNSError{Err: "i/o timeout", Server: "10.0.0.2:53", IsTimeout: true, IsTemporary: true}},
		{"cut even on TCP", landline.Config{DNS: twoServers[:1]}, func(s *nameServer) {
			s.streams("10.0.0.2")
			s.zone["desk.lan."] = nil
			s.streamFlags = truncated
			s.flags = truncated
		}, 0,
			net.DNSError{Err: "server misbehaving: the answer is cut off", Server: "10.0.0.2:53"}},
		{"nobody there", landline.Config{DNS: twoServers[1:]}, nil, 0,
			net.DNSError{Err: "read udp 10.0.0.1:PORT->10.0.0.3:53: read: connection refused", Server: "10.0.0.3:53"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, far := resolving(t, c.cfg)
			s := serveNames(t, far, "10.0.0.2", map[string][]string{})
			if c.set != nil {
				c.set(s)
			}
			start := time.Now()
			_, err := h.LookupNetIP(t.Context(), "ip", "desk.lan")
			got, ok := errors.AsType[*net.DNSError](err)
			if !ok {
				t.Fatalf("%s: %v", c.what, err)
			}
			c.want.Name = "desk.lan"
			got.Err = ports.ReplaceAllString(got.Err, ":PORT")
			got.Err = strings.ReplaceAll(got.Err, "write", "read") // the second question may hear of the first
			if *got != c.want || time.Since(start) != c.took {
				t.Errorf("%s: after %v %#v, want %#v", c.what, time.Since(start), *got, c.want)
			}
		})
	}
}

func TestLookupEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers})
		serveNames(t, far, "10.0.0.2", nil).mute = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.LookupNetIP(ctx, "ip", "desk.lan")
		if dnsErr, ok := errors.AsType[*net.DNSError](err); !ok || !dnsErr.IsTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%#v", err)
		}
	})
}

// Addresses that another machine makes up are not taken for the server's: it would have to know
// the port and the number of the question.
func TestLookupIgnoresWhatItDidNotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers[:1]})
		s := must(far.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP("10.0.0.2"), Port: dns.Port}))
		defer s.Close()
		liar := &nameServer{zone: map[string][]string{"desk.lan.": {"10.0.0.66"}, "other.lan.": {"10.0.0.66"}}}
		honest := &nameServer{zone: map[string][]string{"desk.lan.": {"10.0.0.9"}}}
		go func() {
			b := make([]byte, 1500)
			for {
				n, from, err := s.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				name, qt := readQuestion(b[:n])
				id := slices.Clone(b[:2])
				b[0] ^= 0x80 // the wrong number
				s.WriteToUDPAddrPort(liar.answer(b[:n], name, qt, 0), from)
				copy(b, id)
				another, _ := dns.ParseName("other.lan")
				q := dns.AppendQuery(nil, binary.BigEndian.Uint16(id), another, qt)
				s.WriteToUDPAddrPort(liar.answer(q, "other.lan.", qt, 0), from) // about another name
				s.WriteToUDPAddrPort(b[:n], from)                               // a question
				s.WriteToUDPAddrPort(b[:7], from)                               // nothing
				s.WriteToUDPAddrPort(honest.answer(b[:n], name, qt, 0), from)
			}
		}()
		addrs, err := h.LookupNetIP(t.Context(), "ip", "desk.lan")
		if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("10.0.0.9")}) {
			t.Errorf("%v, %v", addrs, err)
		}
	})
}

// Go's own resolver works over the host's sockets, with its servers and no others. It shares a channel
// with the rest of the program, and so is not used in a bubble.
func TestResolverOfNetAsksOurServers(t *testing.T) {
	h, far := resolving(t, landline.Config{DNS: twoServers})
	zone := map[string][]string{"desk.lan.": {"10.0.0.9"}}
	serveNames(t, far, "10.0.0.2", zone)
	for _, r := range []*net.Resolver{
		h.Resolver(),
		{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return h.DialContext(ctx, network, "10.0.0.2:53")
		}},
	} {
		addrs, err := r.LookupNetIP(within(t, 10*time.Second), "ip4", "desk.lan.")
		if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("10.0.0.9")}) {
			t.Errorf("%v, %v", addrs, err)
		}
		_, err = r.LookupNetIP(within(t, 10*time.Second), "ip4", "shed.lan.")
		if dnsErr, ok := errors.AsType[*net.DNSError](err); !ok || !dnsErr.IsNotFound {
			t.Errorf("%v", err)
		}
	}
}

func TestResolverOfNetFindsTheServerThatAnswers(t *testing.T) {
	h, far := resolving(t, landline.Config{DNS: []netip.Addr{twoServers[1], twoServers[0]}}) // nobody is at the first
	serveNames(t, far, "10.0.0.2", map[string][]string{"desk.lan.": {"10.0.0.9"}})
	r := h.Resolver()
	var err error
	for range 2 {
		if _, err = r.LookupNetIP(within(t, 10*time.Second), "ip4", "desk.lan."); err == nil {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// What does not fit a datagram is asked for again over TCP, both families on one connection.
func TestLongAnswersAreAskedForOverTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, far := resolving(t, landline.Config{DNS: twoServers[:1]})
		var many []string
		for k := range dns.MaxAddrs {
			many = append(many, fmt.Sprintf("10.0.0.%d", k+4), fmt.Sprintf("fd00::1:%d", k+4))
		}
		s := serveNames(t, far, "10.0.0.2", map[string][]string{"many.lan.": many, "desk.lan.": {"10.0.0.3"}})
		s.streams("10.0.0.2")
		s.flags = truncated
		addrs, err := h.LookupNetIP(t.Context(), "ip", "many.lan")
		if err != nil || len(addrs) != len(many) {
			t.Errorf("%d of %d addresses, %v", len(addrs), len(many), err)
		}
		if want := []string{"many.lan. A", "many.lan. AAAA"}; !slices.Equal(s.streamAsked, want) {
			t.Errorf("over TCP it was asked for %q", s.streamAsked)
		}
		c, err := h.DialContext(t.Context(), "udp", "desk.lan:53")
		if err != nil || c.RemoteAddr().String() != "10.0.0.3:53" {
			t.Errorf("%v, %v", c, err)
		}
	})
}

// Go's own resolver gets a connection that it takes for a stream, and sends no datagram there.
func TestResolverOfNetAsksAgainOverTCP(t *testing.T) {
	h, far := resolving(t, landline.Config{DNS: twoServers[:1]})
	s := serveNames(t, far, "10.0.0.2", map[string][]string{"desk.lan.": {"10.0.0.9", "10.0.0.8"}})
	s.flags = truncated
	s.alone = true
	s.streams("10.0.0.2")
	addrs, err := h.Resolver().LookupNetIP(within(t, 10*time.Second), "ip4", "desk.lan.")
	if err != nil || len(addrs) != 2 {
		t.Errorf("%v, %v", addrs, err)
	}
}
