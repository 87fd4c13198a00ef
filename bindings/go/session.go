package backsight

/*
#include <backsight.h>

static backsight_status open_session(uint32_t pid, uint64_t flags, const char *proc_root,
                                     backsight_session **session) {
	backsight_session_options options = {.size = sizeof options, .flags = flags, .proc_root = proc_root};
	return backsight_session_open(pid, &options, session);
}
*/
import "C"

import "runtime"

// Session normalizes addresses of one process in many calls: to modules and offsets, which
// another host can look up. It reads no symbols.
type Session struct {
	handle  *C.backsight_session
	modules map[uint32]*Module
	places  []C.backsight_place
	lock    lock
}

// OpenSession opens a process.
func OpenSession(pid int) (*Session, error) {
	return openSession(pid, Options{})
}

func openSession(pid int, options Options) (*Session, error) {
	root, free, err := optionalPath(options.ProcRoot)
	if err != nil {
		return nil, err
	}
	defer free()
	session := &Session{modules: map[uint32]*Module{}}
	err = call(func() C.backsight_status {
		return C.open_session(C.uint32_t(pid), 0, root, &session.handle)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(session, func(session *Session) { session.Close() })
	return session, nil
}

// Normalize returns where each address is: one for each, in their order. It is one call of C, and
// one for each module that was not met before.
func (s *Session) Normalize(addresses []uint64) ([]Place, error) {
	defer s.lock.hold()()
	if s.handle == nil {
		return nil, errClosed
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	if cap(s.places) < len(addresses) {
		s.places = make([]C.backsight_place, len(addresses))
	}
	raw := s.places[:len(addresses)]
	err := call(func() C.backsight_status {
		return C.backsight_session_normalize(s.handle, first(addresses), C.size_t(len(addresses)), &raw[0])
	})
	if err != nil {
		return nil, err
	}
	places := make([]Place, len(addresses))
	for at, it := range raw {
		places[at] = Place{FileOffset: uint64(it.file_offset), Reason: Reason(it.reason)}
		if it.module == C.BACKSIGHT_NO_MODULE {
			continue
		}
		if places[at].Module, err = s.module(uint32(it.module)); err != nil {
			return nil, err
		}
	}
	return places, nil
}

func (s *Session) module(index uint32) (*Module, error) {
	if known := s.modules[index]; known != nil {
		return known, nil
	}
	var found *C.backsight_module
	err := call(func() C.backsight_status {
		return C.backsight_session_module(s.handle, C.uint32_t(index), &found)
	})
	if err != nil {
		return nil, err
	}
	module := moduleOf(found)
	s.modules[index] = module
	return module, nil
}

// Close releases the session. It may be closed again, which does nothing.
func (s *Session) Close() error {
	defer s.lock.hold()()
	runtime.SetFinalizer(s, nil)
	handle := s.handle
	s.handle = nil
	return call(func() C.backsight_status { return C.backsight_session_close(handle) })
}
