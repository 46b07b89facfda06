package identity

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// benchWorld is newWorld for benchmarks: the real clock, and files of one line.
func benchWorld(b *testing.B) (*Server, *Client) {
	b.Helper()
	home := b.TempDir()
	b.Setenv("HOME", home)
	host, user := newKey(b), newKey(b)
	keys, hosts := filepath.Join(home, "authorized_keys"), filepath.Join(home, "known_hosts")
	line, err := HostLine(worldHost, host.PublicKey())
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{keys: keyText(user.PublicKey()), hosts: line} {
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	own, err := Delegate(RoleClient, []ssh.Signer{user}, 0, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return &Server{HostKeys: []ssh.Signer{host}, AuthorizedKeys: keys},
		&Client{Delegation: own, KnownHosts: KnownHosts{File: hosts}}
}

// BenchmarkHandshake measures both sides of a handshake and the first byte, over loopback.
func BenchmarkHandshake(b *testing.B) {
	b.Run("full", func(b *testing.B) {
		server, client := benchWorld(b)
		benchHandshake(b, server, client.Handshake)
	})
	b.Run("resumed", func(b *testing.B) {
		server, client := benchWorld(b)
		client.sessions = &oneSession{}
		benchHandshake(b, server, client.Handshake)
	})
	// The same without ML-KEM, to judge what the hybrid costs.
	b.Run("x25519", func(b *testing.B) {
		server, client := benchWorld(b)
		benchHandshake(b, server, func(ctx context.Context, raw net.Conn, host string) (*Conn, Host, error) {
			conf := client.Delegation.tlsConfig(nil)
			conf.CurvePreferences = []tls.CurveID{tls.X25519}
			conf.InsecureSkipVerify = true
			conf.VerifyConnection = func(cs tls.ConnectionState) error { _, err := client.judge(cs, host); return err }
			batch := &batchConn{Conn: raw}
			conn := &Conn{tls.Client(batch, conf), batch}
			return conn, Host{}, conn.HandshakeContext(ctx)
		})
	})
}

func benchHandshake(b *testing.B, server *Server, client func(context.Context, net.Conn, string) (*Conn, Host, error)) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			if conn, _, err := server.Handshake(b.Context(), raw); err == nil {
				conn.Write([]byte{'!'})
			}
			raw.Close()
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		raw, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		conn, _, err := client(b.Context(), raw, worldHost)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		raw.Close()
	}
	ln.Close()
	<-done
}

func BenchmarkDelegate(b *testing.B) {
	signers := []ssh.Signer{newKey(b)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Delegate(RoleClient, signers, 0, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
