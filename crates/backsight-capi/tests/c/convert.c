/* Converts a profile with names: convert IN OUT, and with times if there is a third argument. */
#include "check.h"

int main(int argc, char **argv) {
  backsight_profile *profile;
  backsight_profile_options options = {.size = sizeof options};
  if (argc > 3) options.flags = BACKSIGHT_PROFILE_TIMES;
  OK(backsight_profile_read(argv[1], &options, &profile));
  OK(backsight_profile_symbolize(profile));
  OK(backsight_profile_write(profile, argv[2], BACKSIGHT_FORMAT_AUTO));
  OK(backsight_profile_free(profile));
}
