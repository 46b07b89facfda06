package interop

import (
	"testing"
)

// A LAN that is killed and started again has kept leases and names, and a machine whose connection was open hears of its end when
// it sends the next time.
func TestMachinesOutliveTheirGateway(t *testing.T) {
	s := newSite(t)
	s.newTAP()
	up := []string{"--tap", "tap0", "--forward", "tcp:127.0.0.1:8080=crate:80"}
	l := s.up(up...)
	crate := newGuest(t, "crate", "dgram,local.type=unix,local.path="+s.path("crate.dgram")+",remote.type=unix,remote.path="+s.path("lan.dgram"), 2)
	box := s.newBox("box", 1)
	box.lease()
	crate.up()
	crate.lease()
	crate.run("echo a page >/www/page && httpd -h /www")

	const talk = "while sleep 0.3; do echo still here; done"
	crate.run("(" + talk + " | nc " + www + " 7 >/tmp/talk 2>&1; echo it ends >>/tmp/talk) >/dev/null 2>&1 & true")
	socat := box.command(talk + " | socat -T 60 - TCP:" + www + ":7")
	said := newTranscript()
	socat.Stdout, socat.Stderr = said, said
	start(t, socat)
	crate.run("until grep still /tmp/talk; do sleep 0.1; done")
	if _, ok := said.await("still", 0, patience); !ok {
		t.Fatalf("socat says %s", said)
	}

	mac := box.run("ip neigh show 10.77.0.1 | grep -o 'lladdr [0-9a-f:]*'")

	l.kill()
	l = s.up(up...)
	for _, m := range []machine{crate, box} {
		holds(t, "name of crate", m.run("ping -c 1 -W 20 crate"), crate.addr)
		holds(t, "name of box", m.run("ping -c 1 -W 20 box"), box.addr)
	}
	crate.run("until grep 'it ends' /tmp/talk; do sleep 0.1; done")
	socat.Wait()
	holds(t, "neighbors of box", box.run("ip neigh show 10.77.0.1"), mac[:len(mac)-1])
	holds(t, "curl through the forward", run(t, "curl", "-sS", "-m", "60", "http://127.0.0.1:8080/page"), "a page")
	crate.run("kill -USR1 $(cat /udhcpc.pid)") // to renew its lease
	box.run("kill -USR1 $(cat /run/udhcpc.pid)")
	l.await(crate.addr + " is crate")
	l.await(box.addr + " is box")
	l.down()
	for _, addr := range []string{crate.addr, box.addr} {
		if tsharkOn(t, l.file, true, "-Y", "tcp.flags.reset == 1 and tcp.srcport == 7 and ip.dst == "+addr) == "" {
			t.Errorf("the connection of %s was not reset", addr)
		}
	}
}
