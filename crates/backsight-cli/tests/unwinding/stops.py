# For gdb: stops a program after every few instructions, and writes its registers, its
# stack and gdb's own frames to the file $STOPS of the environment. The variables $every
# and $stops are set before.
import os

import gdb

OUT = open(os.environ["STOPS"], "w")

NAMES = {
    8: "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split(),
    4: "eax ecx edx ebx esp ebp esi edi".split(),
}


def setting(name):
    return int(gdb.convenience_variable(name))


def stop(inferior, known):
    size = gdb.lookup_type("long").sizeof
    mask = (1 << 8 * size) - 1
    value = lambda name: int(gdb.parse_and_eval("(unsigned long)$" + name)) & mask
    maps = [line.split(None, 5) for line in open("/proc/%d/maps" % inferior.pid)]
    spans = {}
    for fields in maps:
        start, end = (int(text, 16) for text in fields[0].split("-"))
        path = fields[5].strip() if len(fields) > 5 else ""
        spans[start] = (end, path)
        line = "M %x %x %s %s" % (start, end, fields[2], path)
        if "x" in fields[1] and path and line not in known:
            known.add(line)
            print(line, file=OUT)
            if path == "[vdso]":
                print("V", inferior.read_memory(start, end - start).tobytes().hex(), file=OUT)
    print("S %d %x" % (size, value("pc")), file=OUT)
    for number, name in enumerate(NAMES[size]):
        print("R %d %x" % (number, value(name)), file=OUT)
    sp = value("sp")
    end = next(end for start, (end, _) in spans.items() if start <= sp < end)
    memory = inferior.read_memory(sp, min(end - sp, 1 << 14))
    print("T %x %s" % (sp, memory.tobytes().hex()), file=OUT)
    frame = gdb.newest_frame()
    while frame is not None:
        # Those are of calls that left no frame.
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            print("F %x %s" % (frame.pc(), frame.name() or "?"), file=OUT)
        frame = frame.older()


def run():
    inferior = gdb.selected_inferior()
    known = set()
    for _ in range(setting("stops")):
        gdb.execute("stepi %d" % setting("every"), to_string=True)
        if not inferior.is_valid() or inferior.pid == 0:
            break
        stop(inferior, known)
    print("END", file=OUT)


run()
