"""Turns a recording of perf into a profile for go tool pprof: perf_to_pprof.py IN OUT.pb.gz"""

import sys

import backsight


def main():
    recording, out = sys.argv[1:]
    try:
        profile = backsight.Profile.read(recording).symbolize().write(out)
    except backsight.Error as error:
        sys.exit(str(error))
    for note in profile.notes:
        print(note, file=sys.stderr)


main()
