// Package lantest is a LAN inside "go test": machines with TCP/IP stacks of their own, names, wires as slow and lossy as
// they are told to be, and partitions. What takes a connection from net.Conn or a dialer from package net runs on it.
//
// In a testing/synctest bubble the LAN has the bubble's time, so that a minute of waiting takes none. Here the service of three
// machines is tested, of which one asks the two others:
//
//	func TestServiceOutlivesPartitions(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			l := lantest.New(t, lantest.Network{RTT: 20 * time.Millisecond, Loss: 0.01})
//			for _, name := range []string{"left", "right"} {
//				serve(t, l.Host(name), func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
//			}
//			front := l.Host("front")
//			serve(t, front, func(w http.ResponseWriter, _ *http.Request) {
//				for _, name := range []string{"left", "right"} {
//					if answer := get(front, "http://"+name+".lan/", time.Second); answer != "" {
//						fmt.Fprint(w, answer)
//						return
//					}
//				}
//				http.Error(w, "nobody", http.StatusBadGateway)
//			})
//			wants := func(answer string) {
//				t.Helper()
//				if got := get(l.Host("desk"), "http://front.lan/", time.Minute); got != answer {
//					t.Errorf("%q answers, not %q", got, answer)
//				}
//			}
//			wants("left")
//			l.Partition("left")
//			wants("right")
//			l.Partition("right")
//			wants("nobody\n")
//			l.Heal()
//			wants("left")
//		})
//	}
//
//	// serve answers what comes to a machine.
//	func serve(t *testing.T, h *landline.Host, answer http.HandlerFunc) {
//		l, err := h.Listen(t.Context(), "tcp", ":80")
//		if err != nil {
//			t.Fatal(err)
//		}
//		go http.Serve(l, answer) // until the machine ends with the test
//	}
//
//	// get asks from a machine, and returns the answer that comes in time, or "".
//	func get(h *landline.Host, url string, within time.Duration) string {
//		client := http.Client{Transport: &http.Transport{DialContext: h.DialContext}, Timeout: within}
//		defer client.CloseIdleConnections()
//		r, err := client.Get(url)
//		if err != nil {
//			return ""
//		}
//		defer r.Body.Close()
//		text, _ := io.ReadAll(r.Body)
//		return string(text)
//	}
//
// # What happens again
//
// In a bubble, the same Seed is the same LAN: what machines do one after the other happens at the same nanosecond each time, and
// leads to the same frames, the same losses. What two goroutines of a machine do at the same instant may come in
// either order. A client of package http that keeps no connections is such a case: it closes one while it opens the next.
//
// Out of a bubble a LAN works in real time. Then only which frames are lost is up to the Seed.
//
// # When a test fails
//
// The last few megabytes that passed are written to a file in the system's folder for temporary files, which the test's log
// names, and of which it shows the end. Wireshark opens it. Each frame is there once, as it came to the switch, with a comment if a partition was in its
// way. One that the network lost is there too, for it was lost behind the switch.
//
// # What there is not
//
// There is no IPv6, no DHCP and no way out of the LAN: for these there is package lan, of which this one is made. Each machine
// answers its own questions for names, at port 53 of its loopback.
package lantest
