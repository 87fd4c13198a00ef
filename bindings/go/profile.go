package backsight

/*
#include <backsight.h>
*/
import "C"

import (
	"runtime"
	"strings"
)

// Profile is a profile, or a recording of perf, that was read from a file.
type Profile struct {
	handle *C.backsight_profile
	lock   lock
}

// ReadProfile reads a profile, whose format is recognized by its content: perf.data, pprof, heap
// profiles of jemalloc and tcmalloc, folded stacks and others.
func ReadProfile(file string) (*Profile, error) {
	name, free, err := path(file)
	if err != nil {
		return nil, err
	}
	defer free()
	profile := &Profile{}
	err = call(func() C.backsight_status { return C.backsight_profile_read(name, nil, &profile.handle) })
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(profile, func(profile *Profile) { profile.Close() })
	return profile, nil
}

// Symbolize adds functions, inlined frames and lines to addresses that have none.
func (p *Profile) Symbolize() error {
	defer p.lock.hold()()
	if p.handle == nil {
		return errClosed
	}
	return call(func() C.backsight_status { return C.backsight_profile_symbolize(p.handle) })
}

// Write writes it in the format that the name ends in, such as .pb.gz.
func (p *Profile) Write(file string) error {
	defer p.lock.hold()()
	if p.handle == nil {
		return errClosed
	}
	name, free, err := path(file)
	if err != nil {
		return err
	}
	defer free()
	return call(func() C.backsight_status { return C.backsight_profile_write(p.handle, name, 0) })
}

// Notes returns what was wrong with the input, what has no place in the profile, and what the
// formats that it was written in could not represent.
func (p *Profile) Notes() []string {
	defer p.lock.hold()()
	if p.handle == nil {
		return nil
	}
	text := C.GoString(C.backsight_profile_notes(p.handle))
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Close releases the profile. It may be closed again, which does nothing.
func (p *Profile) Close() error {
	defer p.lock.hold()()
	runtime.SetFinalizer(p, nil)
	handle := p.handle
	p.handle = nil
	return call(func() C.backsight_status { return C.backsight_profile_free(handle) })
}
