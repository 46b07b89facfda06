package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
)

// A controlError is what the socket of a LAN answers in place of a result. The code says which kind it is, so that a
// client has an error that is the same as if it had been on the LAN itself.
type controlError struct {
	Code    string `json:"code"`
	Message string `json:"error"`
}

func (e *controlError) Error() string { return e.Message }

// The codes of errors.
const (
	codeBad         = "bad request"
	codeFailed      = "failed"
	codeNoName      = "no such name"
	codeNoPort      = "no such port"
	codeRefused     = "refused"
	codeUnreachable = "unreachable"
	codeTimeout     = "timeout"
	codeInUse       = "in use"
	codeNone        = "not there"
	codeNotAllowed  = "not allowed"
)

// controlCodes are the codes of the system's errors, with the status of HTTP that each has.
var controlCodes = []struct {
	code   string
	status int
	err    error
}{
	{codeBad, http.StatusBadRequest, nil},
	{codeNoName, http.StatusNotFound, nil},
	{codeNoPort, http.StatusNotFound, nil},
	{codeNone, http.StatusNotFound, syscall.ENOENT},
	{codeInUse, http.StatusConflict, syscall.EADDRINUSE},
	{codeNotAllowed, http.StatusForbidden, syscall.EACCES},
	{codeRefused, http.StatusBadGateway, syscall.ECONNREFUSED},
	{codeUnreachable, http.StatusBadGateway, syscall.EHOSTUNREACH},
	{codeUnreachable, http.StatusBadGateway, syscall.ENETUNREACH},
	{codeTimeout, http.StatusGatewayTimeout, syscall.ETIMEDOUT},
	{codeTimeout, http.StatusGatewayTimeout, context.DeadlineExceeded},
	{codeTimeout, http.StatusGatewayTimeout, os.ErrDeadlineExceeded},
	{codeFailed, http.StatusInternalServerError, nil},
}

// controlErrorOf gives an error its code, and the status of HTTP.
func controlErrorOf(err error) (*controlError, int) {
	e, ok := errors.AsType[*controlError](err)
	if !ok {
		e = &controlError{Code: codeFailed, Message: bare(err).Error()}
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && name.IsNotFound {
		e.Code, e.Message = codeNoName, name.Error()
	}
	for _, c := range controlCodes {
		if c.code == e.Code && e.Code != codeFailed || c.err != nil && errors.Is(err, c.err) || c.code == codeFailed {
			e.Code = c.code
			return e, c.status
		}
	}
	return e, http.StatusInternalServerError
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	e, status := controlErrorOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(e)
}

// system returns the error of the system that a code stands for, or else the error itself.
func (e *controlError) system() error {
	for _, c := range controlCodes {
		if errno, ok := c.err.(syscall.Errno); ok && c.code == e.Code {
			return errno
		}
	}
	return e
}
