"""Writes the frames of all threads, innermost first, to the file $out."""

import gdb

KINDS = {
    gdb.INLINE_FRAME: "inline",
    gdb.SIGTRAMP_FRAME: "signal",
    gdb.TAILCALL_FRAME: "tail",
}

with open(gdb.parse_and_eval("$out").string(), "w") as out:
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        out.write("T %d\n" % thread.ptid[1])
        frame = gdb.newest_frame()
        while frame is not None:
            kind = KINDS.get(frame.type(), "call")
            out.write("F %x %s %s\n" % (frame.pc(), kind, frame.name() or "??"))
            frame = frame.older()
