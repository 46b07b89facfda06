package pkt

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// options are what a script says by "--name=value".
type options struct {
	v6                     bool
	local, remote, gateway netip.Addr
	mtu                    int
	tolerance              time.Duration
	connectPort            uint16
	stampTick              time.Duration // 0 if TSval is not compared
}

// The addresses are those for documentation (RFC 5737, RFC 3849) and private ones (RFC 1918, RFC 4193).
var (
	localV4, gatewayV4, remoteV4 = netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("192.168.0.2"), netip.MustParseAddr("192.0.2.1")
	localV6, gatewayV6, remoteV6 = netip.MustParseAddr("fd3d:fa7b:d17d::1"), netip.MustParseAddr("fd3d:fa7b:d17d::2"), netip.MustParseAddr("2001:db8::1")
)

// configure takes the options of the script.
func (r *runner) configure() error {
	o := &r.options
	o.tolerance, o.mtu = usualTolerance, 1500
	o.connectPort, r.bindPort, r.nextPort = 8080, 8080, 40000
	for i := range r.script.Options {
		if err := r.option(&r.script.Options[i]); err != nil {
			return err
		}
	}
	if r.cfg.Tolerance > 0 {
		o.tolerance = r.cfg.Tolerance
	}
	if r.cfg.Strict {
		o.tolerance, o.stampTick = time.Microsecond, time.Millisecond
	}
	or := func(a *netip.Addr, v4, v6 netip.Addr) {
		if !a.IsValid() && o.v6 {
			*a = v6
		} else if !a.IsValid() {
			*a = v4
		}
	}
	or(&o.local, localV4, localV6)
	or(&o.remote, remoteV4, remoteV6)
	or(&o.gateway, gatewayV4, gatewayV6)
	if o.local.Is6() != o.v6 || o.remote.Is6() != o.v6 || o.gateway.Is6() != o.v6 {
		return r.failure(1, "the addresses are not those of the IP version")
	}
	return nil
}

func (r *runner) option(o *Option) error {
	bad := func() error { return r.failure(o.Line, "--%s cannot be %q", o.Name, o.Value) }
	number := func(most uint64) (uint64, error) {
		n, err := strconv.ParseUint(o.Value, 10, 64)
		if err != nil || n > most {
			return 0, bad()
		}
		return n, nil
	}
	var n uint64
	var err error
	o.Value = strings.Trim(o.Value, `"`)
	switch o.Name {
	case "ip_version":
		r.options.v6 = o.Value == "ipv6"
		if o.Value != "ipv4" && o.Value != "ipv6" {
			return r.failure(o.Line, "not supported: --ip_version=%s", o.Value)
		}
	case "local_ip":
		r.options.local, err = netip.ParseAddr(o.Value)
	case "remote_ip":
		r.options.remote, err = netip.ParseAddr(o.Value)
	case "gateway_ip":
		r.options.gateway, err = netip.ParseAddr(o.Value)
	case "mtu":
		n, err = number(65535)
		r.options.mtu = max(int(n), 68)
	case "tolerance_usecs":
		n, err = number(1 << 40)
		r.options.tolerance = time.Duration(n) * time.Microsecond
	case "tcp_ts_tick_usecs":
		n, err = number(1e6)
		r.options.stampTick = time.Duration(n) * time.Microsecond
	case "bind_port":
		n, err = number(65535)
		r.bindPort = uint16(n)
	case "connect_port":
		n, err = number(65535)
		r.options.connectPort = uint16(n)
	case "define":
	default:
		r.ignore(o.Line, "--"+o.Name)
	}
	if err != nil {
		return bad()
	}
	return nil
}
