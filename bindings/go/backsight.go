// Package backsight turns raw stack addresses into functions and lines, on Linux. It calls the C
// library libbacksight, which pkg-config must find (PKG_CONFIG_PATH).
//
//	process, err := backsight.Open(pid)
//	if err != nil {
//		return err
//	}
//	defer process.Close()
//	answers, err := process.SymbolizeStack(addresses)
//
// A handle may be used by several goroutines. Close releases its memory and descriptors; what is
// not closed is released when the garbage collector finds it.
package backsight

/*
#cgo pkg-config: backsight
#include <backsight.h>

// Options point to options, which the memory of Go may not.
static backsight_status open_process(uint32_t pid, uint64_t flags, const char *proc_root,
                                     backsight_process **process) {
	backsight_symbol_options symbols = {.size = sizeof symbols, .flags = flags};
	backsight_process_options options = {.size = sizeof options, .symbols = &symbols, .proc_root = proc_root};
	return backsight_process_open(pid, &options, process);
}

static backsight_status open_self(uint64_t flags, backsight_process **process) {
	backsight_symbol_options symbols = {.size = sizeof symbols, .flags = flags};
	backsight_process_options options = {.size = sizeof options, .symbols = &symbols};
	return backsight_self_open(&options, process);
}
*/
import "C"

import (
	"os"
	"runtime"
	"unsafe"
)

// Options say how a process is opened. The zero value is the default.
type Options struct {
	// NamesOnly looks up names of functions alone, in symbol tables: no lines, no inlined functions.
	NamesOnly bool
	// NoInlines leaves inlined functions out.
	NoInlines bool
	// NoDemangle leaves names as the linker has them.
	NoDemangle bool
	// ProcRoot is the directory to use instead of /proc.
	ProcRoot string
}

func (o Options) flags() C.uint64_t {
	var flags C.uint64_t
	for _, it := range []struct {
		set  bool
		flag C.uint64_t
	}{
		{o.NamesOnly, C.BACKSIGHT_NAMES_ONLY},
		{o.NoInlines, C.BACKSIGHT_NO_INLINES},
		{o.NoDemangle, C.BACKSIGHT_NO_DEMANGLE},
	} {
		if it.set {
			flags |= it.flag
		}
	}
	return flags
}

// Process is a live process, and the symbols of the files that it has mapped.
type Process struct {
	handle  *C.backsight_process
	answers *C.backsight_answers
	session *Session
	lock    lock
}

// Open opens a process.
func Open(pid int) (*Process, error) {
	return OpenWith(pid, Options{})
}

// OpenWith opens a process. The calling process is opened as the one that it is, also where /proc
// is of another PID namespace.
func OpenWith(pid int, options Options) (*Process, error) {
	root, free, err := optionalPath(options.ProcRoot)
	if err != nil {
		return nil, err
	}
	defer free()
	process := &Process{}
	err = call(func() C.backsight_status {
		if pid == os.Getpid() && options.ProcRoot == "" {
			return C.open_self(options.flags(), &process.handle)
		}
		return C.open_process(C.uint32_t(pid), options.flags(), root, &process.handle)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(process, func(process *Process) { process.Close() })
	if err := call(func() C.backsight_status { return C.backsight_answers_new(&process.answers) }); err != nil {
		process.Close()
		return nil, err
	}
	process.session, err = openSession(pid, options)
	if err != nil {
		process.Close()
		return nil, err
	}
	return process, nil
}

// Close releases the process. It may be closed again, which does nothing.
func (p *Process) Close() error {
	defer p.lock.hold()()
	runtime.SetFinalizer(p, nil)
	handle, answers, session := p.handle, p.answers, p.session
	p.handle, p.answers, p.session = nil, nil, nil
	if session != nil {
		session.Close()
	}
	if err := call(func() C.backsight_status { return C.backsight_answers_free(answers) }); err != nil {
		return err
	}
	return call(func() C.backsight_status { return C.backsight_process_close(handle) })
}

// Normalize returns where each address is: one for each, in their order. It is one call of C.
func (p *Process) Normalize(addresses []uint64) ([]Place, error) {
	defer p.lock.hold()()
	if p.session == nil {
		return nil, errClosed
	}
	return p.session.Normalize(addresses)
}

// Symbolize looks up addresses of instructions: one answer for each, in their order. It is one
// call of C.
func (p *Process) Symbolize(addresses []uint64) ([]Answer, error) {
	return p.symbolize(addresses, C.BACKSIGHT_ADDRESSES_EXACT)
}

// SymbolizeStack looks up a stack, innermost first: the address of an instruction, and then return
// addresses.
func (p *Process) SymbolizeStack(addresses []uint64) ([]Answer, error) {
	return p.symbolize(addresses, C.BACKSIGHT_ADDRESSES_STACK)
}

func (p *Process) symbolize(addresses []uint64, kind C.uint32_t) ([]Answer, error) {
	defer p.lock.hold()()
	if p.handle == nil {
		return nil, errClosed
	}
	err := call(func() C.backsight_status {
		return C.backsight_process_symbolize(p.handle, first(addresses), C.size_t(len(addresses)), kind, p.answers)
	})
	if err != nil {
		return nil, err
	}
	found := make([]Answer, 0, len(addresses))
	for it := C.backsight_answers_first(p.answers); it != nil; it = it.next {
		found = append(found, answerOf(it))
	}
	return found, nil
}

func first(addresses []uint64) *C.uint64_t {
	if len(addresses) == 0 {
		return nil
	}
	return (*C.uint64_t)(unsafe.Pointer(&addresses[0]))
}
