package lan

// DialWorld is how gateways open sockets unless they are told otherwise.
var DialWorld = dialWorld
