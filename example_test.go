package landline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"testing/fstest"

	"landline"
	"landline/link"
)

// Two hosts on a cable, one of which pings the other.
func Example() {
	desk, shed := link.NewCable(link.CableConfig{})
	addr := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	h, err := landline.NewHost(desk, landline.Config{Addresses: addr("10.0.0.1/24")})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	other, err := landline.NewHost(shed, landline.Config{Addresses: addr("10.0.0.2/24")})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()

	r, err := h.Ping(context.Background(), "10.0.0.2", landline.PingConfig{Size: 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes from %s, ttl %d\n", r.Size, r.From, r.TTL)
	// Output: 1000 bytes from 10.0.0.2, ttl 64
}

// What the README begins with: it reads so that errors are left out.
func Example_readme() {
	ctx := context.Background()
	files := fstest.MapFS{"notes": {Data: []byte("milk, bread")}}

	left, right := link.NewCable(link.CableConfig{})
	desk, _ := landline.NewHost(left, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	shed, _ := landline.NewHost(right, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	l, _ := shed.Listen(ctx, "tcp", ":80")
	go http.Serve(l, http.FileServerFS(files))
	client := http.Client{Transport: &http.Transport{DialContext: desk.DialContext}}

	defer desk.Close()
	defer shed.Close()
	r, err := client.Get("http://10.0.0.2/notes")
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	fmt.Println(r.Status, string(text), err)
	// Output: 200 OK milk, bread <nil>
}

// A web server and its client, on two hosts on a cable: net/http takes what a Host has as it takes what package net
// has.
func Example_http() {
	desk, shed := link.NewCable(link.CableConfig{})
	addr := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	h, err := landline.NewHost(desk, landline.Config{Addresses: addr("10.0.0.1/24")})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	other, err := landline.NewHost(shed, landline.Config{Addresses: addr("10.0.0.2/24")})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()

	l, err := other.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "hello %s, you want %s", host, r.URL.Path)
	}))

	transport := &http.Transport{DialContext: h.DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	r, err := client.Get("http://10.0.0.2/notes")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	fmt.Println(r.Status, string(text), err)
	// Output: 200 OK hello 10.0.0.1, you want /notes <nil>
}

// A service that answers in capitals. A stream has no borders: each end reads until the other has sent all.
func ExampleHost_Listen() {
	ctx := context.Background()
	h, err := landline.NewHost(nil, landline.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close() // closes the sockets too

	l, err := h.Listen(ctx, "tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		text, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(text))
	}()

	c, err := h.DialContext(ctx, "tcp", "localhost:echo")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(c, "hello, ")
	fmt.Fprint(c, "world")
	c.(*landline.TCPConn).CloseWrite()
	text, err := io.ReadAll(c)
	fmt.Println(c.RemoteAddr(), string(text), err)
	// Output: 127.0.0.1:7 HELLO, WORLD <nil>
}

// A service that answers what it gets. Without a device, a host still has its loopback.
func ExampleHost_ListenPacket() {
	ctx := context.Background()
	h, err := landline.NewHost(nil, landline.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close() // closes the sockets too

	s, err := h.ListenPacket(ctx, "udp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := s.ReadFrom(b)
			if err != nil {
				return
			}
			s.WriteTo(b[:n], from)
		}
	}()

	c, err := h.DialContext(ctx, "udp", "localhost:echo")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	b := make([]byte, 1500)
	n, err := c.Read(b)
	fmt.Println(c.RemoteAddr(), string(b[:n]), err)
	// Output: 127.0.0.1:7 hello <nil>
}

// Addresses of package netip are values: a datagram that is read and sent with them costs no
// allocation.
func ExampleUDPConn_ReadFromUDPAddrPort() {
	h, err := landline.NewHost(nil, landline.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	s, err := h.ListenUDP("udp", &net.UDPAddr{Port: 700})
	if err != nil {
		log.Fatal(err)
	}
	c, err := h.DialUDP("udp", nil, &net.UDPAddr{Port: 700}) // without an IP: this host
	if err != nil {
		log.Fatal(err)
	}

	fmt.Fprint(c, "hello")
	b := make([]byte, 1500)
	n, from, err := s.ReadFromUDPAddrPort(b)
	if err != nil {
		log.Fatal(err)
	}
	s.WriteToUDPAddrPort(bytes.ToUpper(b[:n]), from)
	n, err = c.Read(b)
	fmt.Println(string(b[:n]), err)
	// Output: HELLO <nil>
}

// Names are looked up by the host's own network. Those of the host itself need no server.
func ExampleHost_LookupNetIP() {
	h, err := landline.NewHost(nil, landline.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	addrs, err := h.LookupNetIP(context.Background(), "ip4", "localhost")
	fmt.Println(addrs, err)
	_, err = h.LookupNetIP(context.Background(), "ip", "desk.lan")
	fmt.Println(err)
	// Output:
	// [127.0.0.1] <nil>
	// lookup desk.lan: no name server is known
}
