package backsight

import (
	"fmt"
	"strings"
)

// String shows it as the command backsight does: a line for each frame, or the module, offset and
// reason.
func (a Answer) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-18s ", fmt.Sprintf("%#x", a.Address))
	if len(a.Frames) == 0 {
		a.showPlace(&out)
		return out.String()
	}
	for at, frame := range a.Frames {
		if at > 0 {
			fmt.Fprintf(&out, "\n%18s ", "")
		}
		out.WriteString(frame.String())
	}
	if a.Module != nil {
		fmt.Fprintf(&out, "  (%s)", a.Module)
	}
	if a.Reason != 0 {
		fmt.Fprintf(&out, "  [%s]", a.Reason)
	}
	return out.String()
}

func (a Answer) showPlace(out *strings.Builder) {
	if a.Module != nil {
		fmt.Fprintf(out, "%s+%#x  ", a.Module, a.FileOffset)
		if a.HasVirtualOffset {
			fmt.Fprintf(out, "virtual %#x  ", a.VirtualOffset)
		}
		if a.Module.BuildID != nil {
			fmt.Fprintf(out, "[build id %x]  ", a.Module.BuildID)
		}
	}
	fmt.Fprintf(out, "[%s]", a.Reason)
}

// String shows it on one line.
func (f Frame) String() string {
	text := f.Function
	if text == "" {
		text = "??"
	}
	switch {
	case f.Inlined:
		text += " [inlined]"
	case f.Offset >= 0:
		text += fmt.Sprintf("+%#x", f.Offset)
	}
	if f.File == "" {
		return text
	}
	text += "  " + f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d", f.Line)
	}
	if f.Line > 0 && f.Column > 0 {
		text += fmt.Sprintf(":%d", f.Column)
	}
	return text
}

// String returns its path.
func (m *Module) String() string {
	if m.Deleted {
		return m.Path + " (deleted)"
	}
	return m.Path
}
