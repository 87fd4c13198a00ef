"""Names the native frames of a Python process: native_frames.py PID

Profilers of Python show calls of C as `<native>`. Here each thread has its functions of C, in
extensions and the interpreter, where the interpreter's own loop is shown as `<python>`.
"""

import sys

import backsight


def native(answers):
    for answer in answers:
        for frame in answer.frames:
            is_loop = (frame.function or "").startswith("_PyEval_EvalFrame")
            yield "<python>" if is_loop else f"{frame}  ({answer.module})"


def main():
    try:
        with backsight.Process(int(sys.argv[1])) as process:
            for thread in process.stacks():
                print(f"thread {thread.tid} {thread.name}", thread.refused or "")
                for line in native(thread.answers):
                    print("   ", line)
    except backsight.Error as error:
        sys.exit(str(error))


main()
