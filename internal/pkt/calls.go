package pkt

// A syscallFunc reads the arguments of a call and says what it does. An error is one of the script, or says
// what is not supported; what the call itself returns comes of the action.
type syscallFunc func(r *runner, c *Call) (*action, error)

// syscalls are those that scripts may make.
var syscalls = map[string]syscallFunc{
	"socket":        callSocket,
	"bind":          callBind,
	"listen":        callListen,
	"accept":        callAccept,
	"accept4":       callAccept,
	"connect":       callConnect,
	"shutdown":      callShutdown,
	"close":         callClose,
	"read":          callRead(positions{-1, -1}),
	"recv":          callRead(positions{3, -1}),
	"recvfrom":      callRead(positions{3, -1}),
	"recvmsg":       callMessage(false),
	"write":         callWrite(positions{-1, -1}),
	"send":          callWrite(positions{3, -1}),
	"sendto":        callWrite(positions{3, 4}),
	"sendmsg":       callMessage(true),
	"setsockopt":    callSetsockopt,
	"getsockopt":    callGetsockopt,
	"fcntl":         callFcntl,
	"ioctl":         callIoctl,
	"poll":          callPoll,
	"epoll_create":  callEpollCreate,
	"epoll_create1": callEpollCreate,
	"epoll_ctl":     callEpollCtl,
	"epoll_wait":    callEpollWait,
}
