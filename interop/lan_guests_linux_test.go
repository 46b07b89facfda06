package interop

import (
	"fmt"
	"strings"
	"testing"
)

// Virtual machines of QEMU, one at each kind of socket, live on a LAN as machines do: they take addresses, find each other and
// the world by name, and are found from the computer by a forward.
func TestVirtualMachinesLiveOnALAN(t *testing.T) {
	s := newSite(t)
	l := s.up("--forward", "tcp:127.0.0.1:0=box:80", "--forward", "tcp:127.0.0.1:0=crate:80")
	box := newGuest(t, "box", "stream,addr.type=unix,addr.path="+s.path("lan.sock"), 1)
	crate := newGuest(t, "crate", "dgram,local.type=unix,local.path="+s.path("crate.dgram")+",remote.type=unix,remote.path="+s.path("lan.dgram"), 2)
	guests := []*guest{box, crate}
	for _, g := range guests {
		g.up()
		g.lease()
		l.await(g.addr + " is " + g.name + " (52:54:00:77:00:")
	}
	for k, g := range guests {
		g.usesTheLAN(guests[1-k])
		g.usesTheWorld()
		g.fetches(bulk)
		l.fetches(g, bulk)
	}
	l.down()
}

// usesTheLAN holds that the machine finds another by its name, and is told who has an address.
func (g *guest) usesTheLAN(other *guest) {
	g.Helper()
	six := slaac(g)
	for _, to := range []string{"10.77.0.1", "fd77::1", "gateway", other.name, other.name + ".LAN", slaac(other)} {
		g.run("ping -c 1 -W 20 " + to)
	}
	for question, answer := range map[string]string{
		other.name:                      other.addr,
		other.name + ".lan":             other.addr,
		"-type=a gateway.lan":           "10.77.0.1",
		"-type=aaaa gateway.lan":        "fd77::1",
		"-type=aaaa " + g.name + ".lan": six,
		other.addr:                      other.name + ".lan",
		g.addr:                          g.name + ".lan",
		six:                             g.name + ".lan",
		"10.77.0.1":                     "gateway.lan",
	} {
		holds(g.T, g.name+": nslookup "+question, g.run("nslookup "+question), answer)
	}
	if out, code := g.try("nslookup nobody.lan"); code == 0 || !strings.Contains(out, "NXDOMAIN") {
		g.Errorf("%s: nslookup nobody.lan: exit code %d\n%s", g.name, code, out)
	}
}

// usesTheWorld holds that the machine is told of names in the world, and gets there.
func (g *guest) usesTheWorld() {
	g.Helper()
	for question, answer := range map[string]string{
		"-type=a www.example.test":            www,
		"-type=aaaa www.example.test":         wwwSix,
		"-type=txt www.example.test":          "on the outside",
		"-type=srv _http._tcp.example.test":   "0 0 80 www.example.test",
		"-type=ptr 2.100.51.198.in-addr.arpa": "www.example.test",
	} {
		holds(g.T, g.name+": nslookup "+question, g.run("nslookup "+question), answer)
	}
	if out, code := g.try("nslookup nobody.example.test"); code == 0 || !strings.Contains(out, "NXDOMAIN") {
		g.Errorf("%s: nslookup nobody.example.test: exit code %d\n%s", g.name, code, out)
	}
	for _, to := range []string{www, wwwSix, "www.example.test"} {
		g.run("ping -c 1 -W 20 " + to)
	}
	g.run("wget -q -O - 'http://[" + wwwSix + "]/1000' | wc -c | grep -qx 1000")
}

// fetches holds that the machine gets a file from the world as it is there.
func (g *guest) fetches(n int64) {
	g.Helper()
	sum := g.run(fmt.Sprintf("wget -q -O /www/file http://www.example.test/%d && sha256sum /www/file", n))
	isFile(g.T, "to "+g.name, n, sum)
	g.run("pidof httpd || httpd -h /www")
}

// fetches holds that the computer gets the file that a machine has fetched as it is in the world.
func (l *running) fetches(g *guest, n int64) {
	l.Helper()
	isFile(l.T, "from "+g.name, n, run(l.T, "sh", "-c", "curl -sS -m 120 http://"+l.forward(g.name+":80")+"/file | sha256sum"))
}

// isFile holds that what sha256sum says is that of a file of the world.
func isFile(t *testing.T, what string, n int64, sum string) {
	t.Helper()
	if want, _, _ := strings.Cut(hashOfStream(n), " "); !strings.HasPrefix(sum, want) {
		t.Errorf("%d bytes %s are %s, want %s", n, what, sum, want)
	}
}
