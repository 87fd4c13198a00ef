package backsight

/*
#include <backsight.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// Kinds of errors, for errors.Is.
var (
	// ErrNoSuchProcess: there is no such process, or it is hidden from this user.
	ErrNoSuchProcess = errors.New("no such process")
	// ErrProcessGone: the process has ended, or runs another program now.
	ErrProcessGone = errors.New("process gone")
	// ErrDenied: this user may not do that.
	ErrDenied = errors.New("denied")
	// ErrUnsupported: the kernel, or the library, cannot do that.
	ErrUnsupported = errors.New("unsupported")
	// ErrFormat: the format of a profile is not recognized.
	ErrFormat = errors.New("format not recognized")
	// ErrClosed: the handle was closed.
	ErrClosed = errors.New("closed")
)

var kinds = map[C.backsight_status]error{
	C.BACKSIGHT_ERROR_NO_SUCH_PROCESS: ErrNoSuchProcess,
	C.BACKSIGHT_ERROR_PROCESS_GONE:    ErrProcessGone,
	C.BACKSIGHT_ERROR_DENIED:          ErrDenied,
	C.BACKSIGHT_ERROR_UNSUPPORTED:     ErrUnsupported,
	C.BACKSIGHT_ERROR_FORMAT:          ErrFormat,
	C.BACKSIGHT_ERROR_HANDLE:          ErrClosed,
}

// Error is why a call failed.
type Error struct {
	// Status is the name of the status of the C library, such as "denied".
	Status string
	// Errno is that of the system call that failed; 0 if none did.
	Errno syscall.Errno
	// Message names the file or process, the cause and, where there is one, the way out.
	Message string

	kind error
}

func (e *Error) Error() string { return e.Message }

// Is tells whether it is of a kind, such as ErrDenied, or has an errno.
func (e *Error) Is(target error) bool {
	return target == e.kind && e.kind != nil || e.Errno != 0 && target == error(e.Errno)
}

var errClosed = &Error{Status: "closed", Message: "the handle was closed", kind: ErrClosed}

// call makes a call of the library. The last error is the thread's, so that the goroutine stays
// on it.
func call(c func() C.backsight_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := c()
	if status == C.BACKSIGHT_OK {
		return nil
	}
	return &Error{
		Status:  C.GoString(C.backsight_status_name(status)),
		Errno:   syscall.Errno(C.backsight_last_errno()),
		Message: C.GoString(C.backsight_last_error()),
		kind:    kinds[status],
	}
}

// path returns a path for C, and what frees it. A NUL inside would end it there.
func path(text string) (*C.char, func(), error) {
	if strings.IndexByte(text, 0) >= 0 {
		message := fmt.Sprintf("%q: a path has no NUL", text)
		return nil, nil, &Error{Status: "argument", Errno: syscall.EINVAL, Message: message}
	}
	made := C.CString(text)
	return made, func() { C.free(unsafe.Pointer(made)) }, nil
}

// optionalPath is path, and nil for "".
func optionalPath(text string) (*C.char, func(), error) {
	if text == "" {
		return nil, func() {}, nil
	}
	return path(text)
}

type lock struct{ mutex sync.Mutex }

// hold locks, and returns what unlocks.
func (l *lock) hold() func() {
	l.mutex.Lock()
	return l.mutex.Unlock
}

// Version returns the version of the library.
func Version() string { return C.GoString(C.backsight_version()) }
