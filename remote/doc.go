// Package remote is the line to a machine: it runs commands there and moves files,
// over any net.Conn, by the protocol of SPEC.md.
//
// A server is a [Server] with a listener. A client makes a connection, gives it to
// [NewClient], and then calls [Client.Run], [Client.Get] and [Client.Put], side by
// side if it likes:
//
//	client := remote.NewClient(conn, "example/1")
//	defer client.Close()
//	result, err := client.Run(ctx, remote.Command{Args: []string{"uname", "-a"}, Stdout: os.Stdout})
//
// What a command's result says is what happened: the output is whole or the error
// says that it is not, the code is the program's own or the reason says why there
// is none. A reader that is slow makes the program wait and takes no memory.
//
// A server with a [Server.State] keeps jobs: commands that outlive their connection,
// and the server too. [Client.Start] starts one, [Client.Attach] sees its output again,
// and a [Lasting] carries an ordinary run over connections that break. One with a
// [Terminal] is like a shell that can be left, with [ErrLeave], and taken again.
//
// The package does not know who is at the other end: who may come in is settled
// before, by [Server.Admit] and package identity. It does not use a shell unless
// asked to, and does not decode text.
package remote
