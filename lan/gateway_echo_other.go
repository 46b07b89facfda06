//go:build !unix

package lan

import (
	"context"
	"net"
)

// dialEcho opens a socket for pings to one address, which only administrators may have.
func dialEcho(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}
