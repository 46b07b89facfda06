package interop

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The clients that there are take leases, keep them by renewing them, and give them back, with the scripts that they come with.
func TestClientsOfTheLANTakeRenewAndRelease(t *testing.T) {
	s := newSite(t)
	s.newTAP()
	need(t, "udhcpc", "dhclient", "dhcpcd")
	l := s.up("--tap", "tap0", "--lease", "20s") // no less than dhcpcd takes
	clients := []struct{ name, take, release string }{
		{"udhcpc", "", "kill -USR2 $(cat /run/udhcpc.pid)"},
		{"dhclient", "dhclient -4 -1 eth0", "dhclient -4 -r eth0"},
		{"dhcpcd", "dhcpcd -4 -w -h dhcpcd eth0", "dhcpcd -4 -k eth0"},
	}
	boxes, ends := map[string]*box{}, map[string]time.Time{}
	for k, c := range clients {
		b := s.newBox(c.name, k+1)
		boxes[c.name] = b
		if c.take == "" {
			b.lease()
		} else {
			b.run("PATH=$PATH:/usr/sbin:/sbin; " + c.take)
			b.addr = b.address()
		}
		l.await(b.addr + " is " + c.name + " (" + b.mac + ")")
		ends[c.name] = s.expiry(c.name)
		holds(t, c.name+": routes", b.run("ip route"), "default via 10.77.0.1")
		holds(t, c.name+": resolv.conf", b.run("cat /etc/resolv.conf"), "nameserver 10.77.0.1", "lan")
		b.run("ping -c 1 -W 20 gateway")
	}
	for _, c := range clients {
		eventually(t, c.name+" renews its lease", func() bool { return s.expiry(c.name).After(ends[c.name]) })
		// A client's script may take the address away, and give it back.
		eventually(t, c.name+" has its address again", func() bool { return boxes[c.name].address() == boxes[c.name].addr })
	}
	for _, c := range clients {
		// udhcpc takes its address away at once, and with it a release that waits for the gateway's hardware address.
		boxes[c.name].run("ping -c 1 -W 20 10.77.0.1")
		boxes[c.name].run("PATH=$PATH:/usr/sbin:/sbin; " + c.release)
		l.await(boxes[c.name].addr + " is nobody's any more")
	}
	if said := l.said.String(); strings.Count(said, " is nobody's") != len(clients) {
		t.Errorf("some were without their leases before: %s", said)
	}
	l.down()
	released := tsharkOn(t, l.file, true, "-Y", "dhcp.option.dhcp == 7", "-T", "fields", "-e", "dhcp.ip.client")
	for _, b := range boxes {
		if !strings.Contains(released, b.addr) {
			t.Errorf("%s has not given back %s, only %s", b.name, b.addr, released)
		}
	}
}

// Whoever asks for names, by UDP or TCP, of the LAN or the world, is told what is so, in a form that nobody complains about.
func TestResolversAskTheLAN(t *testing.T) {
	s := newSite(t)
	s.newTAP()
	need(t, "dig", "getent")
	l := s.up("--tap", "tap0")
	box, crate := s.newBox("box", 1), s.newBox("crate", 2)
	box.lease()
	crate.lease()
	six := slaac(crate)
	crate.run("ping -c 1 -W 20 fd77::1") // and so the gateway knows of its address
	for _, c := range []struct {
		args string
		want []string
	}{
		{"crate.lan A", []string{"status: NOERROR", "flags: qr aa rd ra;", "crate.lan.\t\t10\tIN\tA\t" + crate.addr}},
		{"CrATe.lAN A", []string{"CrATe.lAN.\t\t10\tIN\tA\t" + crate.addr}},
		{"crate.lan A +tcp", []string{crate.addr, "(TCP)"}},
		{"crate.lan AAAA +short", []string{six + "\n"}},
		{"crate.lan MX", []string{"status: NOERROR", "ANSWER: 0, AUTHORITY: 1"}},
		{"nobody.lan A", []string{"status: NXDOMAIN", "ANSWER: 0, AUTHORITY: 1"}},
		{"-x " + crate.addr + " +short", []string{"crate.lan.\n"}},
		{"-x " + six + " +short", []string{"crate.lan.\n"}},
		{"-x 10.77.0.99", []string{"status: NXDOMAIN"}},
		{"crate.lan A @fd77::1 +short", []string{crate.addr + "\n"}},

		{"www.example.test A", []string{"status: NOERROR", "rd ra;", "IN\tA\t" + www}},
		{"WwW.eXAMple.TEST A", []string{"WwW.eXAMple.TEST."}},
		{"www.example.test AAAA +short", []string{wwwSix + "\n"}},
		{"www.example.test A +tcp", []string{www, "(TCP)"}},
		{"www.example.test TXT +short", []string{`"on the outside"`}},
		{"www.example.test MX", []string{"status: NOERROR", "ANSWER: 0"}},
		{"_http._tcp.example.test SRV +short", []string{"0 0 80 www.example.test.\n"}},
		{"nobody.example.test A", []string{"status: NXDOMAIN"}},
		{"-x " + www + " +short", []string{"www.example.test.\n"}},
		{"many.example.test A +bufsize=4096 +notcp", []string{"ANSWER: 60,"}},
		{"many.example.test A +bufsize=512 +ignore", []string{"rd ra;", " tc "}},
		{"many.example.test A +bufsize=512", []string{"Truncated, retrying in TCP mode", "ANSWER: 60,"}},
		{"many.example.test A +noedns +ignore", []string{" tc "}},
		{"example.org A", []string{"status: REFUSED"}}, // as the world's name server says
	} {
		got := box.run("dig @10.77.0.1 +tries=2 +time=20 " + c.args)
		holds(t, "dig "+c.args, got, c.want...)
		for _, bad := range []string{"WARNING", "bad packet", "malformed", "mismatch", "extra bytes"} {
			if strings.Contains(got, bad) {
				t.Errorf("dig %s complains:\n%s", c.args, got)
			}
		}
	}
	for asked, want := range map[string][]string{
		"ahosts crate":              {crate.addr, six},
		"ahosts CRATE.lan":          {crate.addr, six},
		"ahostsv6 www.example.test": {wwwSix},
		"ahosts www.example.test":   {www, wwwSix},
		"hosts " + crate.addr:       {"crate.lan"},
		"hosts " + six:              {"crate.lan"},
		"hosts " + wwwSix:           {"www.example.test"},
		"ahosts many.example.test":  {"198.51.100.100", "198.51.100.159"},
		"ahostsv4 gateway":          {"10.77.0.1"},
	} {
		holds(t, "getent "+asked, box.run("getent "+asked), want...)
	}
	for _, nobody := range []string{"nobody", "nobody.lan", "nobody.example.test"} {
		if out, code := box.try("getent ahosts " + nobody); code != 2 {
			t.Errorf("getent ahosts %s: exit code %d, %s", nobody, code, out)
		}
	}
	l.down()
}

// What looks for machines finds those that are there, and no others.
func TestProbesOfTheLAN(t *testing.T) {
	s := newSite(t)
	s.newTAP()
	need(t, "ping", "arping", "ndisc6", "rdisc6", "traceroute", "nmap")
	l := s.up("--tap", "tap0")
	box, crate := s.newBox("box", 1), s.newBox("crate", 2)
	box.lease()
	crate.lease()
	within(t, s.world, func() { sysctl(t, "net.ipv4.icmp_ratelimit", 0) }) // or it does not tell traceroute of all that it gets
	crateSix, mac := slaac(crate), gatewayMAC(box)
	slaac(box)
	for _, to := range []string{"10.77.0.1", "fd77::1", "gateway", crate.addr, crateSix, "crate", www, wwwSix, "www.example.test"} {
		for _, size := range []string{"56", "1472", "1473", "8000"} {
			box.run("ping -c 1 -W 20 -s " + size + " " + to)
		}
	}
	for _, to := range []string{"10.77.0.99", "fd77::99"} {
		if out, code := box.try("ping -c 1 -W 5 " + to); code == 0 {
			t.Errorf("nobody answers pings: %s", out)
		}
	}
	for _, c := range []struct {
		command string
		code    int
		want    string
	}{
		{"arping -c 2 -w 20 -I eth0 10.77.0.1", 0, mac},
		{"arping -D -c 2 -w 20 -I eth0 10.77.0.1", 1, mac},
		{"arping -D -c 2 -w 20 -I eth0 " + crate.addr, 1, crate.mac},
		{"arping -D -c 2 -w 3 -I eth0 10.77.0.99", 0, "Received 0"},
		{"ndisc6 -1 -w 5000 fd77::1 eth0", 0, mac},
		{"ndisc6 -1 -w 5000 " + crateSix + " eth0", 0, crate.mac},
		{"ndisc6 -r 1 -w 1000 fd77::99 eth0", 2, "No response"},
		{"rdisc6 -1 -w 5000 eth0", 0, "fd77::/64"},
		{"traceroute -n -w 5 -q 1 -N 1 " + crate.addr, 0, " 1  " + crate.addr},
		{"traceroute -n -w 5 -q 1 -N 1 " + www, 0, " 1  10.77.0.1"},
		{"traceroute -n -w 5 -q 1 -N 1 " + www, 0, " 2  " + www},
		{"traceroute -n -w 5 -q 1 -N 1 -I " + www, 0, " 2  " + www},
		{"traceroute -n -w 5 -q 1 -N 1 " + wwwSix, 0, " 2  " + wwwSix},
		{"nmap -n -sn 10.77.0.0/26", 0, "(3 hosts up)"},
		{"nmap -n -sS -p 80,81 " + www, 0, "80/tcp open "},
		{"nmap -n -sS -p 80,81 " + www, 0, "81/tcp closed "},
		{"nmap -n -6 -sS -p 80,81 " + wwwSix, 0, "80/tcp open "},
		{"nmap -n -sS -p 53,54 10.77.0.1", 0, "53/tcp open "},
		{"nmap -n -sS -p 53,54 10.77.0.1", 0, "54/tcp closed "},
	} {
		out, code := box.try("PATH=$PATH:/usr/sbin; " + c.command)
		if code != c.code || !strings.Contains(strings.ToLower(out), strings.ToLower(c.want)) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", c.command, code, c.code, c.want, out)
		}
	}
	l.down()
}

// gatewayMAC returns the gateway's hardware address as a machine knows it.
func gatewayMAC(m machine) string {
	m.run("ping -c 1 -W 20 10.77.0.1")
	return strings.TrimSpace(m.run("ip neigh show 10.77.0.1 | sed 's/.*lladdr \\([0-9a-f:]*\\).*/\\1/'"))
}

const gigabyte = 1 << 30

// Much goes through the gateway at once, and in each connection all that it should.
func TestTransfersThroughTheGateway(t *testing.T) {
	s := newSite(t)
	s.quiet = true
	s.newTAP()
	need(t, "curl", "socat", "python3", "iperf3")
	within(t, s.world, func() {
		cmd := exec.Command("iperf3", "-s")
		start(t, cmd)
	})
	s.serveFiles("127.0.0.1:8080")
	l := s.up("--tap", "tap0", "--loopback")
	box := s.newBox("box", 1)
	box.lease()
	slaac(box)

	// Who dials one that does not answer keeps up nobody who dials one that does.
	box.run("for k in $(seq 20); do socat -u /dev/null TCP:" + blackHole + ":80 >/dev/null 2>&1 & done")
	box.run("curl -sS -m 60 http://www.example.test/1000 | wc -c | grep -qx 1000")
	if n := strings.Count(box.run("ss -Htn state syn-sent"), blackHole); n != 20 {
		t.Errorf("%d of 20 wait for an answer", n)
	}
	for _, from := range []string{"www.example.test", "10.77.0.1:8080"} {
		isFile(t, "from "+from, gigabyte, box.run(fmt.Sprintf("curl -sS -m 200 http://%s/%d | sha256sum", from, gigabyte)))
	}
	box.run("head -c 1000000 /dev/urandom >/run/sent && socat -t 60 - TCP:" + www + ":7 </run/sent | cmp - /run/sent")
	box.run(`python3 -c '
import socket
all = [socket.create_connection(("` + www + `", 7), 60) for k in range(1000)]
for k, c in enumerate(all): c.sendall(b"%d" % k); c.shutdown(socket.SHUT_WR)
for k, c in enumerate(all): assert c.makefile("rb").read() == b"%d" % k, k
'`)
	for _, args := range []string{"-n 200M", "-n 200M -R", "-n 200M -P 4", "-n 200M -P 4 -R", "-6 -n 100M", "-u -b 20M -l 1400 -n 5M", "-u -b 20M -l 1400 -n 5M -R"} {
		host := www
		if strings.Contains(args, "-6") {
			host = wwwSix
		}
		holds(t, "iperf3 "+args, box.run("iperf3 -c "+host+" "+args), "iperf Done.")
	}
	l.down()
}
