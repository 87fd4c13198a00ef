"""Names a stack of a live process: name_stack.py PID ADDRESS..., innermost first."""

import sys

import backsight


def main():
    pid, *stack = (int(arg, 0) for arg in sys.argv[1:])
    try:
        with backsight.Process(pid) as process:
            print(process.symbolize(stack))
    except backsight.Error as error:
        sys.exit(str(error))


main()
