package backsight

/*
#include <backsight.h>
*/
import "C"

import "unsafe"

// Frame is one call level at an address.
type Frame struct {
	// Function is its name, demangled; "" if it is not known.
	Function string
	// LinkageName is its name as the linker has it, if that is another one.
	LinkageName string
	// File is the source file; "" if it is not known.
	File string
	// Line and Column count from 1; 0 if they are not known.
	Line, Column int
	// StartLine is the line that the function starts on; 0 if it is not known.
	StartLine int
	// Inlined says that the function was inlined into that of the next frame.
	Inlined bool
	// Offset is how far behind the start of the function the address is, in bytes; -1 if that is not
	// known.
	Offset int64
}

// Module is a mapped file, or what takes the place of one.
type Module struct {
	// Path is how the process names it.
	Path string
	// BuildID has bytes, not digits; nil if it has none.
	BuildID []byte
	// Inode is that of its file.
	Inode uint64
	// Deleted says that the file was deleted or replaced since it was mapped.
	Deleted bool
}

// Answer is what is known of one address.
type Answer struct {
	// Address is the address that was asked for.
	Address uint64
	// Frames are innermost first; none if Reason says why.
	Frames []Frame
	// Module is nil if the address is in none.
	Module *Module
	// FileOffset is the address as an offset in the file of the module, in bytes.
	FileOffset uint64
	// VirtualOffset is the address as symbols and DWARF of the module have it, if HasVirtualOffset.
	VirtualOffset    uint64
	HasVirtualOffset bool
	// Reason is why there are no frames, or why something is missing in them; 0 if nothing is.
	Reason Reason
}

// Place is where an address is.
type Place struct {
	// Module is nil if it is in none.
	Module *Module
	// FileOffset is the offset in the file of the module, in bytes.
	FileOffset uint64
	// Reason is why it is in none; 0 if it is in one.
	Reason Reason
}

// Reason is why an address has no answer. Numbers are added and never change.
type Reason uint32

// String returns the name that the command backsight prints.
func (r Reason) String() string {
	return C.GoString(C.backsight_reason_name(C.uint32_t(r)))
}

func text(it C.backsight_string) string {
	return C.GoStringN(it.data, C.int(it.len))
}

func moduleOf(it *C.backsight_module) *Module {
	if it == nil {
		return nil
	}
	module := &Module{
		Path:    text(it.path),
		Inode:   uint64(it.inode),
		Deleted: it.flags&C.BACKSIGHT_MODULE_DELETED != 0,
	}
	if it.build_id.data != nil {
		module.BuildID = C.GoBytes(unsafe.Pointer(it.build_id.data), C.int(it.build_id.len))
	}
	return module
}

func answerOf(it *C.backsight_answer) Answer {
	answer := Answer{
		Address: uint64(it.address),
		Frames:  make([]Frame, 0, int(it.frame_count)),
		Module:  moduleOf(it.module),
		Reason:  Reason(it.reason),

		FileOffset:       uint64(it.file_offset),
		VirtualOffset:    uint64(it.virtual_offset),
		HasVirtualOffset: it.flags&C.BACKSIGHT_ANSWER_VIRTUAL_OFFSET != 0,
	}
	for frame := it.frames; frame != nil; frame = frame.next {
		offset := int64(-1)
		if frame.flags&C.BACKSIGHT_FRAME_OFFSET != 0 {
			offset = int64(frame.offset)
		}
		answer.Frames = append(answer.Frames, Frame{
			Function:    text(frame.function),
			LinkageName: text(frame.linkage_name),
			File:        text(frame.file),
			Line:        int(frame.line),
			Column:      int(frame.column),
			StartLine:   int(frame.start_line),
			Inlined:     frame.flags&C.BACKSIGHT_FRAME_INLINED != 0,
			Offset:      offset,
		})
	}
	return answer
}
