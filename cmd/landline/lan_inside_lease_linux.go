package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landline/dhcp"
	"landline/link"
	"landline/wire"
)

// A lessee takes a lease for the interface inside, and keeps it: it does what a dhcp.Client says, by a socket of the kernel's. The
// client and the lease belong to the goroutine of run.
type lessee struct {
	inside   *inside
	client   *dhcp.Client
	lease    *dhcp.Lease // that is in use, or nil
	socket   *net.UDPConn
	messages chan dhcp.Message
	again    chan struct{} // the LAN may be another one
	ready    chan struct{} // closed when there is a lease
	quit     chan struct{}
	done     sync.WaitGroup
}

func newLessee(i *inside, mtu int) (*lessee, error) {
	mac, err := hardwareAddress(i.nic.name)
	if err != nil {
		return nil, err
	}
	// A socket of the interface, rather than of an address, can send and get broadcasts without one.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		cerr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), i.nic.name) })
		if err == nil {
			err = cerr
		}
		return err
	}}
	pc, err := lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", dhcp.ClientPort))
	if err != nil {
		return nil, err
	}
	l := &lessee{
		inside: i, socket: pc.(*net.UDPConn), messages: make(chan dhcp.Message),
		again: make(chan struct{}), ready: make(chan struct{}), quit: make(chan struct{}),
		client: dhcp.NewClient(dhcp.ClientConfig{MAC: wire.MAC(mac), HostName: i.cfg.Hostname, MTU: mtu, Broadcast: true}),
	}
	go l.listen()
	l.done.Go(l.run)
	return l, nil
}

// stop gives the lease back.
func (l *lessee) stop() {
	close(l.quit)
	l.done.Wait()
}

// listen hands over what comes to the client's port.
func (l *lessee) listen() {
	b := make([]byte, link.MaxMTU)
	for {
		n, _, err := l.socket.ReadFromUDPAddrPort(b)
		if err != nil {
			return // it was closed
		}
		if m, err := dhcp.ParseMessage(slices.Clone(b[:n])); err == nil {
			select {
			case l.messages <- m:
			case <-l.quit:
				return
			}
		}
	}
}

// run tells the client what happens.
func (l *lessee) run() {
	defer l.socket.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.do(l.client.Start(time.Now()))
	for {
		timer.Reset(l.wait())
		select {
		case m := <-l.messages:
			l.do(l.client.Arrive(time.Now(), m))
		case <-timer.C:
			l.do(l.client.Expire(time.Now()))
		case <-l.again:
			l.do(l.client.Start(time.Now()))
		case <-l.quit:
			out := l.client.Release(time.Now())
			l.send(&out)
			l.flush()
			return
		}
	}
}

// wait returns how long the client has nothing to do.
func (l *lessee) wait() time.Duration {
	next := l.client.Next()
	if next.IsZero() {
		return 1<<63 - 1
	}
	return max(0, time.Until(next))
}

// do does what the client says.
func (l *lessee) do(out dhcp.Output) {
	l.send(&out)
	if out.Event == dhcp.Nothing {
		return
	}
	old := l.lease
	l.lease = out.Lease
	if out.Event.Lost() {
		l.lease = nil
		l.inside.app.say("the address %s is lost: lease %s", out.Lease.Addr.Addr(), out.Event)
	}
	if out.Event != dhcp.Renewed {
		l.inside.use(old, l.lease)
	}
	select {
	case <-l.ready:
	default:
		if l.lease != nil {
			close(l.ready)
		}
	}
}

// send sends a message of the client's, from the address that the kernel has for it. One that cannot be sent is as
// good as lost, and will be sent again.
func (l *lessee) send(out *dhcp.Output) {
	if out.Message != nil {
		_, _ = l.socket.WriteToUDPAddrPort(out.Message, out.Dst)
	}
}

// flush waits, but not for long, until the LAN has what was sent: the kernel may still be asking where the server is, and
// forgets all with the namespace.
func (l *lessee) flush() {
	raw, err := l.socket.SyscallConn()
	if err != nil {
		return
	}
	for end := time.Now().Add(flushPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		unsent := 0
		if raw.Control(func(fd uintptr) { unsent, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) != nil || unsent == 0 {
			break
		}
	}
	l.inside.cable.flush()
}
