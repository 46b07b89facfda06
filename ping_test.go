package landline_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

func TestPingAnswersAtAnySize(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	for _, host := range []string{"10.0.0.2", "fd00::2", "127.0.0.1", linkLocal(t, right).WithZone("cable0").String()} {
		for _, size := range []int{-1, 0, 1, 1472, 1473, 65487} {
			r, err := left.Ping(within(t, 5*time.Second), host, landline.PingConfig{Size: size, Seq: 9})
			want := max(size, 0)
			if size == 0 {
				want = 56
			}
			if err != nil || r.Size != want || r.Seq != 9 || r.TTL != 64 || r.From.WithZone("").String() != strings.TrimSuffix(host, "%cable0") {
				t.Errorf("%s, %d bytes: %+v, %v", host, size, r, err)
			}
		}
	}
}

func TestPingSaysWhatWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := neighbors(t, link.CableConfig{Seed: 1})
		for _, c := range []struct {
			host string
			cfg  landline.PingConfig
			want error
			text string
		}{
			{"10.0.0.9", landline.PingConfig{}, syscall.EHOSTUNREACH, "ping ip4:icmp 10.0.0.1->10.0.0.9: recvfrom: no route to host"},
			{"fd00::9", landline.PingConfig{}, syscall.EHOSTUNREACH, "ping ip6:ipv6-icmp fd00::1->fd00::9: recvfrom: no route to host"},
			{"192.0.2.1", landline.PingConfig{}, syscall.ENETUNREACH, "ping ip 192.0.2.1: connect: network is unreachable"},
			{"10.0.0.2", landline.PingConfig{Size: 65508}, syscall.EMSGSIZE, "ping ip4:icmp 10.0.0.1->10.0.0.2: sendto: message too long"},
			{"10.0.0.2", landline.PingConfig{Size: 1473, DontFragment: true}, syscall.EMSGSIZE, "ping ip4:icmp 10.0.0.1->10.0.0.2: sendto: message too long"},
		} {
			_, err := left.Ping(t.Context(), c.host, c.cfg)
			if !errors.Is(err, c.want) || err.Error() != c.text {
				t.Errorf("%s: %v", c.host, err)
			}
		}
	})
}

func TestPingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1})
		left := newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
		cut := link.Impair(b, link.Impairment{}, link.Impairment{})
		newHost(t, cut, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1})
		if _, err := left.Ping(t.Context(), "10.0.0.2", landline.PingConfig{}); err != nil {
			t.Fatal(err)
		}
		cut.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := left.Ping(ctx, "10.0.0.2", landline.PingConfig{})
		timeout, ok := errors.AsType[net.Error](err)
		if !ok || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// A series over a bad wire loses what the wire loses, and what comes back took as long as the wire says.
func TestPingsOverABadWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1})
		bad := link.Impairment{Seed: 7, Loss: 0.1, Delay: 20 * time.Millisecond}
		left := newHost(t, link.Impair(a, bad, bad), landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
		newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Seed: 2})
		came := 0
		for seq := range uint16(1000) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			r, err := left.Ping(ctx, "10.0.0.2", landline.PingConfig{Seq: seq})
			cancel()
			if err != nil {
				continue
			}
			came++
			if seq > 0 && r.RTT != 40*time.Millisecond && r.RTT != 80*time.Millisecond { // twice, if it was asked for the neighbor
				t.Errorf("ping %d took %v", seq, r.RTT)
			}
		}
		if came < 770 || came > 850 { // 0.9 × 0.9 of them, on average
			t.Errorf("%d of 1,000 came back", came)
		}
	})
}
