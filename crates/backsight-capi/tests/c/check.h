/* What the programs of tests check with. */
#include <backsight.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, \
              backsight_last_error());                                                \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

#define IS(call, status)                                                                \
  do {                                                                                  \
    backsight_status is = (call);                                                       \
    if (is != (status)) {                                                               \
      fprintf(stderr, "%s:%d: %s is %s, not %s (last error: %s)\n", __FILE__, __LINE__, \
              #call, backsight_status_name(is), backsight_status_name(status),          \
              backsight_last_error());                                                  \
      exit(1);                                                                          \
    }                                                                                   \
  } while (0)

#define OK(call) IS(call, BACKSIGHT_OK)

#define SAYS(text)                                    \
  do {                                                \
    CHECK(strstr(backsight_last_error(), text) != 0); \
  } while (0)
