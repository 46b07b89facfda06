package pkt

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// runScript runs a script in a bubble, and returns what of it was ignored and what was wrong.
func runScript(t *testing.T, src string, cfg Config) (ignored []Ignored, err error) {
	t.Helper()
	script, err := Parse("test.pkt", src, cfg.Profile.String())
	if err != nil {
		return nil, err
	}
	synctest.Test(t, func(*testing.T) { ignored, err = Run(script, cfg) })
	return ignored, err
}

func strict(t *testing.T, src string) {
	t.Helper()
	if _, err := runScript(t, src, Config{Strict: true}); err != nil {
		t.Error(err)
	}
}

// Beginnings of scripts.
const (
	udpServer = `0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
`
	tcpServer = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
`
	tcpClient = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.1 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 700>
`
)

func TestUDP(t *testing.T) {
	strict(t, udpServer+`
+.1 < udp (100)
+0  recvfrom(3, ..., 1000, 0, ..., ...) = 100
+0  sendto(3, ..., 50, 0, ..., ...) = 50
+0  > udp (50)
+0...0.2 recvfrom(3, ..., 1000, 0, ..., ...) = 20
+.2 < udp (20)
+0  fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0  recvfrom(3, ..., 1000, 0, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
+0  close(3) = 0
+0  < udp (5)
+0  > icmp unreachable port_unreachable
`)
}

func TestUDPClient(t *testing.T) {
	strict(t, `--ip_version=ipv6
0  socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+0 write(3, "hello", 5) = 5
+0 > (ttl 64) udp (5)
+0 < icmp unreachable port_unreachable [udp (5)]
+0 read(3, ..., 10) = -1 ECONNREFUSED (Connection refused)
+0 send(3, ..., 10, 0) = 10
+0 > udp (10)
`)
}

// Packets that name ports belong to flows of their own, in both directions.
func TestPortsTellFlowsApart(t *testing.T) {
	strict(t, udpServer+`
+0 < udp 1001 > 8080 (1)
+0 < udp 1002 > 8080 (2)
+0 read(3, ..., 10) = 1
+0 read(3, ..., 10) = 2
+0 sendto(3, ..., 7, 0, {sa_family=AF_INET, sin_port=htons(1002), sin_addr=inet_addr("192.0.2.1")}, ...) = 7
+0 sendto(3, ..., 6, 0, {sa_family=AF_INET, sin_port=htons(1001), sin_addr=inet_addr("192.0.2.1")}, ...) = 6
+0 > udp 8080 > 1001 (6)
+0 > udp 8080 > 1002 (7)
`)
}

func TestTCPServer(t *testing.T) {
	strict(t, tcpServer+`
+0 < P. 1:501(500) ack 1 win 32792
+0 > . 1:1(0) ack 501
+0 recv(4, ..., 200, MSG_PEEK) = 200
+0 ioctl(4, SIOCINQ, [500]) = 0
+0 read(4, ..., 1000) = 500
+0 write(4, ..., 2500) = 2500
+0 > P. 1:2501(2500) ack 501
+.1 < . 501:501(0) ack 2501 win 32792
+0 %{
assert tcpi_state == TCP_ESTABLISHED, tcpi_state   # a comment
assert tcpi_unacked == 0 and tcpi_snd_mss == 1000; print("fine")
assert tcpi_rtt == 100 * 1000
n = 5; n += 2
assert 6 < n <= 7 and not n == 6 }%
+0 close(4) = 0
+0 > F. 2501:2501(0) ack 501
+0 < F. 501:501(0) ack 2502 win 32792
+0 > . 2502:2502(0) ack 502
`)
}

func TestTCPClient(t *testing.T) {
	strict(t, tcpClient+`
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+.5 write(3, ..., 100) = 100
+0 > P. 1:101(100) ack 1 <nop,nop,TS val 700 ecr 700>
+.1 < . 1:1(0) ack 101 win 500 <nop,nop,TS val 800 ecr 700>
+0 read(3, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 < R. 1:1(0) ack 101 win 0
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0
+0 write(3, ..., 10) = -1 EPIPE (Broken pipe)
`)
}

func TestIPv6(t *testing.T) {
	strict(t, "--ip_version=ipv6\n"+strings.Replace(tcpServer, "1460", "1440", 1)+"+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n")
}

// A call may wait while the script goes on.
func TestCallsThatWait(t *testing.T) {
	strict(t, `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
0 bind(3, ..., ...) = 0
0 listen(3, 1) = 0
0...0.2 accept(3, ..., ...) = 4
.1 < S 0:0(0) win 32792 <mss 1000>
.1 > S. 0:0(0) ack 1 <mss 1460>
.2 < . 1:1(0) ack 1 win 32792
.3...0.5 read(4, ..., 3000) = 1000
.5 < P. 1:1001(1000) ack 1 win 32792
.5 > . 1:1(0) ack 1001
.6 recv(4, ..., 1, MSG_DONTWAIT) = -1 EWOULDBLOCK (Operation would block)
+0...0.2 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 1000) = 1
+.2 < P. 1001:1011(10) ack 1 win 32792
+0 > . 1:1(0) ack 1011
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN|POLLOUT}, {fd=3, events=POLLIN}], 2, 0) = 1
+0...0.050 poll([{fd=3, events=POLLIN}], 1, 50) = 0
`)
}

func TestEpoll(t *testing.T) {
	strict(t, tcpServer+`
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLOUT|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
+0 < P. 1:11(10) ack 1 win 32792
+0 > . 1:1(0) ack 11
+0 epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, {events=0, fd=4}) = 0
`)
}

// What a script does not expect makes it fail, and is said in the script's words.
func TestFailures(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{tcpServer + "+0 write(4, ..., 10) = 11", "test.pkt:9: expected write to return 11, got 10"},
		{tcpServer + "+0 read(4, ..., 10) = 10", "test.pkt:9: expected read to return at once, and it waits"},
		{tcpServer + "+0...0.1 read(4, ..., 10) = 10\n+1 close(4) = 0", "test.pkt:9: expected read to return at 0.200000, and it still waits at 1.100000"},
		{tcpServer + "+0...0.1 write(4, ..., 10) = 10", "test.pkt:9: expected write to return at 0.200000, and it did at 0.100000"},
		{tcpServer + "+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1", "test.pkt:10: expected > P. 1:12(11) ack 1, got > P. 1:11(10) ack 1"},
		{tcpServer + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 urg 1", "test.pkt:10: expected > P. 1:11(10) ack 1 urg 1, got > P. 1:11(10) ack 1"},
		{tcpServer + "+0 write(4, ..., 10) = 10\n+0 > (tos 0x10) P. 1:11(10) ack 1", "test.pkt:10: expected > (tos 0x10) P. 1:11(10) ack 1, got > (tos 0x0) P. 1:11(10) ack 1"},
		{tcpServer + "+0 write(4, ..., 10) = 10\n+.1 > P. 1:11(10) ack 1", "test.pkt:10: expected > P. 1:11(10) ack 1 at 0.200000, got it at 0.100000"},
		{tcpServer + "+.1~+.2 > P. 1:11(10) ack 1", "test.pkt:9: expected > P. 1:11(10) ack 1 at 0.200000~0.300000, got nothing until 2.300001"},
		{tcpServer + "* > P. 1:11(10) ack 1", "test.pkt:9: expected > P. 1:11(10) ack 1 at any time, got nothing until 3600.100000"},
		{tcpServer + "+0 %{ assert tcpi_foo == 3 }%", "test.pkt:9: expected a field of tcp_info, got tcpi_foo"},
		{tcpServer + "+0 %{ x = tcpi_cwnd }%", "test.pkt:9: expected a field of tcp_info, got tcpi_cwnd"},
		{tcpServer + "+0 write(4, ..., 10) = 10", "test.pkt:9: expected the end, got > P. 1:11(10) ack 1 win 65535 at 0.100000"},
		{tcpServer + "+0 write(4, ..., 3000) = 3000\n+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:2001(1000) ack 1", "test.pkt:11: expected > P. 1001:2001(1000) ack 1, got > . 1001:2001(1000) ack 1"},
		{tcpServer + "+0 < . 1:11(10) ack 1 win 1000\n+0 > . 1:1(0) ack 11\n+0 read(4, \"wrong\", 10) = 10", `test.pkt:11: read: expected to read "wrong", got "\x00\x01\x02\x03\x04\x05\x06\a\b\t"`},
		{tcpServer + "+0 %{ assert 1 == 2 }%", "test.pkt:9: expected 1 == 2, got that it is not"},
		{tcpServer + "+0 %{ assert tcpi_snd_cwnd == 11 or tcpi_snd_mss < 5, 'text' }%", "test.pkt:9: expected tcpi_snd_cwnd == 11 or tcpi_snd_mss < 5, got tcpi_snd_cwnd = 10, tcpi_snd_mss = 1000"},
		{tcpServer + "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0", "test.pkt:9: getsockopt: expected SO_ERROR to be EPIPE, got 0"},
		{tcpServer + "+0 ioctl(4, SIOCINQ, [5]) = 0", "test.pkt:9: ioctl: expected 5 bytes, got 0"},
		{tcpServer + "+0 poll([{fd=4, events=POLLOUT}], 1, 0) = 1", "test.pkt:9: poll: expected the events 0x0 of descriptor 4, got 0x4"},
		{tcpServer + "0 close(4) = 0", "test.pkt:9: expected this at 0.000000, but it is 0.100000 already"},
		{tcpServer + "+0 mmap(4) = 0", "test.pkt:9: not supported: mmap()"},
		{tcpServer + "+0 send(4, ..., 1, MSG_STRANGE) = 0", "test.pkt:9: send: not supported: the constant MSG_STRANGE"},
		{tcpServer + "+0 close(4) = -1 ESTRANGE", "test.pkt:9: close: not supported: the error ESTRANGE"},
		{tcpServer + "+0 < gre: . 1:1(0) ack 1 win 9", "test.pkt:9: not supported: GRE"},
		{tcpServer + "+0 < icmp strange [1:1(0)]", `test.pkt:9: no type of ICMP is called "strange"`},
		{"0 > . 1:1(0) ack 1", "test.pkt:1: there is no socket that could send > . 1:1(0) ack 1"},
		{"--ip_version=ipv7\n", "test.pkt:1: not supported: --ip_version=ipv7"},
		{"--local_ip=a\n", `test.pkt:1: --local_ip cannot be "a"`},
		{"--local_ip=::1\n", "test.pkt:1: the addresses are not those of the IP version"},
	} {
		_, err := runScript(t, c.src, Config{Strict: true})
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", strings.TrimPrefix(c.src, tcpServer), err, c.want)
		}
	}
}

// Who has not made a script for virtual time need not care when exactly what happens, which window is offered, or
// for PSH.
func TestToleranceIsForScriptsOfOthers(t *testing.T) {
	src := tcpServer + "+0 write(4, ..., 3000) = 3000\n+.003 > P. 1:1001(1000) ack 1 win 100\n"
	if _, err := runScript(t, src, Config{}); err != nil {
		t.Error(err)
	}
	if _, err := runScript(t, "--tolerance_usecs=1000\n"+src, Config{}); err == nil {
		t.Error("more than the script's tolerance was tolerated")
	}
	if _, err := runScript(t, "--tolerance_usecs=1000\n"+src, Config{Tolerance: time.Second}); err != nil {
		t.Error(err)
	}
	if _, err := runScript(t, src, Config{Strict: true}); err == nil {
		t.Error("a strict run tolerated it")
	}
}

func TestWhatHasNoEffectIsReportedOnce(t *testing.T) {
	ignored, err := runScript(t, "--strange=1\n`a`\n0 `b\nc`\n+0 `b`\n+0 %{ import sys\nx = f(1) }%\n+0 %{ import sys }%", Config{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, i := range ignored {
		text = append(text, i.Text)
	}
	if got, want := strings.Join(text, "; "), "a; --strange; b; c; import sys; x = f(1)"; got != want {
		t.Errorf("ignored %q, want %q", got, want)
	}
}

// The profile is seen in the order of options, the window scale, the size of a buffer that was set, and what the script has for it.
func TestProfiles(t *testing.T) {
	src := `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [5000], 4) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS
#ifdef FreeBSD
+0 getsockopt(3, SOL_SOCKET, SO_SNDBUF, [5000], [4]) = 0
+0 > S 0:0(0) win 65535 <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>
#else
+0 getsockopt(3, SOL_SOCKET, SO_SNDBUF, [10000], [4]) = 0
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
#endif
`
	for _, p := range []Profile{Linux, FreeBSD} {
		if _, err := runScript(t, src, Config{Profile: p, Strict: true}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// Some variables of other systems mean something here too, if they are set at the beginning.
func TestVariablesAtTheBeginning(t *testing.T) {
	for commands, options := range map[string]string{
		"`sysctl -q net.ipv4.tcp_timestamps=0`\n0":                                              "mss 1460,nop,nop,sackOK,nop,wscale 8",
		"`../set.py /proc/sys/net/ipv4/tcp_sack=0\n/proc/sys/net/ipv4/tcp_window_scaling=0`\n0": "mss 1460,nop,nop,TS val 100 ecr 0",
		"0 `sysctl -w net.inet.tcp.rfc1323=0`\n+0":                                              "mss 1460,nop,nop,sackOK",
		"0": "mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8",
	} {
		src := commands + " socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 `sysctl net.ipv4.tcp_sack=1`\n" +
			"+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 connect(3, ..., ...) = -1 EINPROGRESS\n+0 > S 0:0(0) <" + options + ">"
		ignored, err := runScript(t, src, Config{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", commands, err)
		}
		if len(ignored) != 1 || ignored[0].Text != "sysctl net.ipv4.tcp_sack=1" {
			t.Errorf("%s: ignored %v", commands, ignored)
		}
	}
}

func TestTTLAndTOS(t *testing.T) {
	strict(t, tcpServer+`
+0 setsockopt(4, IPPROTO_IP, IP_TTL, [7], 4) = 0
+0 setsockopt(4, IPPROTO_IP, IP_TOS, [0x28], 4) = 0
+0 write(4, ..., 10) = 10
+0 > (tos 0x28, ttl 7) P. 1:11(10) ack 1
+0 setsockopt(4, IPPROTO_IP, IP_TTL, [256], 4) = -1 EINVAL (Invalid argument)
`)
}

// An error of ICMP reaches the connection only if its numbers are those of the script.
func TestQuotesHaveTheNumbersOfTheConnection(t *testing.T) {
	strict(t, tcpServer+`
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+0 < icmp unreachable frag_needed mtu 600 [1001:2001(1000)]
+0 < icmp unreachable frag_needed mtu 600 [1:1001(1000)]
+0 > . 1:561(560) ack 1
+0 > P. 561:1001(440) ack 1
`)
}

// Numbers between the same ends begin anew with another connection.
func TestSecondConnectionOfTheSameEnds(t *testing.T) {
	strict(t, tcpServer+`
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+0 < F. 1:1(0) ack 2 win 1000
+0 > . 2:2(0) ack 2
+1 < S 100000:100000(0) win 1000 <mss 1000>
+0 > S. 0:0(0) ack 100001 <mss 1460>
+0 < . 100001:100011(10) ack 1 win 1000
+0 > . 1:1(0) ack 100011
+0 accept(3, ..., ...) = 5
+0 read(5, ..., 100) = 10
+0 write(5, ..., 10) = 10
+0 > P. 1:11(10) ack 100011
`)
}
