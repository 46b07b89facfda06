// Package interop holds no code but tests of landline against programs that
// others wrote, on files, sockets and devices that are real.
//
// A test whose program is missing skips and says so. With LANDLINE_INTEROP=1 in the
// environment it fails instead, so that a green run is a whole one:
//
//	LANDLINE_INTEROP=1 go test ./interop
package interop
