/* Turns a recording of perf into a profile for `go tool pprof`: perf_to_pprof IN OUT.pb.gz
 *
 *     cc perf_to_pprof.c $(pkg-config --cflags --libs backsight) -o perf_to_pprof
 */
#include <backsight.h>
#include <stdio.h>

int main(int argc, char **argv) {
  backsight_profile *profile = NULL;
  backsight_status status = argc == 3 ? BACKSIGHT_OK : BACKSIGHT_ERROR_ARGUMENT;
  if (!status) status = backsight_profile_read(argv[1], NULL, &profile);
  if (!status) status = backsight_profile_symbolize(profile);
  if (!status) status = backsight_profile_write(profile, argv[2], BACKSIGHT_FORMAT_AUTO);
  if (status) fprintf(stderr, "%s: %s\n", backsight_status_name(status), backsight_last_error());
  if (!status) fputs(backsight_profile_notes(profile), stderr);
  backsight_profile_free(profile);
  return status != BACKSIGHT_OK;
}
