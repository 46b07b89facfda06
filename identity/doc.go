// Package identity turns SSH keys into TLS 1.3 identities.
//
// Nobody needs a certificate authority, and no key is made that has to be
// looked after. Each side draws a fresh P-256 key in memory and lets its SSH
// keys sign for it: a [Delegation], good for a few hours and any number of
// connections. The delegation travels as a private extension of a self-signed
// X.509 certificate; TLS proves that the P-256 key is held, the SSH signatures
// say whose it is. The server asks authorized_keys who may come in, the client
// asks known_hosts who is answering.
//
// A server:
//
//	key, _, err := identity.HostKey("", configDir)
//	server := &identity.Server{HostKeys: []ssh.Signer{key}}
//	conn, peer, err := server.Handshake(ctx, raw)
//
// A client:
//
//	own, err := identity.Keys{}.Delegate(ctx, identity.MaxLife, time.Now())
//	client := &identity.Client{Delegation: own}
//	conn, host, err := client.Handshake(ctx, raw, "shed:7373")
//
// # What is signed
//
// The exact format is in SPEC.md. In short, in the encodings of RFC 4251:
// every SSH key signs, as an SSHSIG with SHA-512 in the namespace
// "landline-delegation", the message
//
//	uint32 1 | string role | uint64 not-before | uint64 not-after | string SPKI
//
// where the role is "client" or "server", the times are the certificate's own
// in Unix seconds, and SPKI is its SubjectPublicKeyInfo. The extension
// 1.3.6.1.4.1.1818324580.1 holds
//
//	uint32 1 | string role | 1 to 8 times { string key | string SSHSIG }
//
// A verifier refuses a life of more than 8 hours ([MaxLife]), an end in the past
// and a beginning in the future, allowing clocks to differ by [Skew].
//
// # When it is checked
//
// All of it is checked in tls.Config.VerifyConnection, which runs for a resumed
// session as it does for a full handshake: a key removed from authorized_keys
// cannot come back with an old ticket. A connection that stands is not ended by
// such a removal.
//
// In TLS 1.3 a client finishes before the server has looked at its
// certificate. After [Client.Handshake] a client knows who is answering, not yet
// that it is let in: it is when the server's first message has come. If the first
// Read fails instead, [Refused] tells whether the server turned it away.
//
// # What it does not do
//
// It opens and accepts no connections, sets no deadline of its own (a
// handshake ends with its context), and does not ask anybody anything but
// through [Keys].Ask. It never forwards an agent. It follows RFC 8446 (TLS 1.3),
// RFC 5280 (certificates), RFC 4251 (encodings) and OpenSSH's PROTOCOL.sshsig and
// PROTOCOL.certkeys; where sshd(8) and ssh(1) have a rule for their files, that
// rule is followed, and a difference is stated where it is made.
package identity
