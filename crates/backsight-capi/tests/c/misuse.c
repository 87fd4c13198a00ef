/* Null and wrong handles, handles that were freed, sizes of structures, texts. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <unistd.h>

static void handles(void) {
  int local = 0;
  backsight_answers *answers;
  backsight_session *session;
  uint64_t address = 0x10;
  backsight_place place;

  IS(backsight_answers_new(NULL), BACKSIGHT_ERROR_NULL);
  SAYS("answers is null");
  IS(backsight_session_open(1, NULL, NULL), BACKSIGHT_ERROR_NULL);
  OK(backsight_answers_new(&answers));
  OK(backsight_session_open_self(NULL, &session));
  IS(backsight_session_normalize(NULL, &address, 1, &place), BACKSIGHT_ERROR_NULL);
  IS(backsight_session_normalize(session, NULL, 1, &place), BACKSIGHT_ERROR_NULL);
  IS(backsight_session_normalize(session, &address, 1, NULL), BACKSIGHT_ERROR_NULL);
  OK(backsight_session_normalize(session, NULL, 0, NULL));
  OK(backsight_session_normalize(session, &address, 1, &place));
  CHECK(place.module == BACKSIGHT_NO_MODULE && place.reason == BACKSIGHT_REASON_UNMAPPED);
  CHECK(strcmp(backsight_reason_name(place.reason), "unmapped") == 0);
  /* More than memory has, and not aligned. */
  IS(backsight_session_normalize(session, &address, (size_t)-1 / 2, &place), BACKSIGHT_ERROR_ARGUMENT);
  char bytes[32] __attribute__((aligned(8))) = {0};
  const void *odd = bytes + 1;
  IS(backsight_session_normalize(session, odd, 1, &place), BACKSIGHT_ERROR_ARGUMENT);

  /* Another kind, no handle at all, and one that was never given out. */
  IS(backsight_session_normalize((backsight_session *)answers, &address, 1, &place), BACKSIGHT_ERROR_HANDLE);
  SAYS("a handle of answers was given for a session");
  IS(backsight_session_close((backsight_session *)answers), BACKSIGHT_ERROR_HANDLE);
  IS(backsight_session_close((backsight_session *)&local), BACKSIGHT_ERROR_HANDLE);
  IS(backsight_session_close((backsight_session *)(uintptr_t)1), BACKSIGHT_ERROR_HANDLE);
  IS(backsight_session_close((backsight_session *)((uintptr_t)session + 77)), BACKSIGHT_ERROR_HANDLE);
  CHECK(backsight_answers_first((backsight_answers *)session) == NULL);
  CHECK(backsight_last_status() == BACKSIGHT_ERROR_HANDLE);
  CHECK(backsight_answers_count(NULL) == 0);
  CHECK(backsight_answers_first(answers) == NULL && backsight_answers_at(answers, 0) == NULL);

  /* Freed twice, used after that, and null. */
  OK(backsight_session_close(session));
  IS(backsight_session_close(session), BACKSIGHT_ERROR_HANDLE);
  SAYS("was freed");
  IS(backsight_session_normalize(session, &address, 1, &place), BACKSIGHT_ERROR_HANDLE);
  backsight_session *next;
  OK(backsight_session_open_self(NULL, &next));
  IS(backsight_session_close(session), BACKSIGHT_ERROR_HANDLE);
  OK(backsight_session_close(next));
  OK(backsight_session_close(NULL));
  OK(backsight_answers_free(answers));
  IS(backsight_answers_free(answers), BACKSIGHT_ERROR_HANDLE);
  OK(backsight_symbolizer_free(NULL));
  OK(backsight_profile_free(NULL));
}

static void sizes(void) {
  backsight_symbolizer *symbolizer;
  struct {
    backsight_symbol_options known;
    uint64_t later;
  } longer = {.known = {.size = sizeof longer}};
  OK(backsight_symbolizer_new(&longer.known, &symbolizer));
  OK(backsight_symbolizer_free(symbolizer));
  longer.later = 1;
  IS(backsight_symbolizer_new(&longer.known, &symbolizer), BACKSIGHT_ERROR_OPTIONS);
  SAYS("sets a field beyond");
  CHECK(symbolizer == NULL);

  /* An older program knows the first two fields. */
  struct {
    size_t size;
    uint64_t flags;
  } shorter = {sizeof shorter, BACKSIGHT_NAMES_ONLY};
  OK(backsight_symbolizer_new((const backsight_symbol_options *)&shorter, &symbolizer));
  OK(backsight_symbolizer_free(symbolizer));
  shorter.flags = 1ull << 63;
  IS(backsight_symbolizer_new((const backsight_symbol_options *)&shorter, &symbolizer), BACKSIGHT_ERROR_OPTIONS);
  SAYS("no flag 0x8000000000000000");
  for (size_t size = 0; size < sizeof(size_t); size++) {
    backsight_symbol_options none = {.size = size};
    IS(backsight_symbolizer_new(&none, &symbolizer), BACKSIGHT_ERROR_OPTIONS);
  }
  backsight_symbol_options huge = {.size = (size_t)-1};
  IS(backsight_symbolizer_new(&huge, &symbolizer), BACKSIGHT_ERROR_OPTIONS);

  /* What is filled is filled as far as the caller has room. */
  struct {
    size_t size;
    uint64_t modules, behind;
  } part = {2 * sizeof(uint64_t), 77, 78};
  OK(backsight_symbolizer_new(NULL, &symbolizer));
  OK(backsight_symbolizer_usage(symbolizer, (backsight_usage *)&part));
  CHECK(part.modules == 0 && part.behind == 78);
  struct {
    backsight_usage known;
    uint64_t later;
  } more = {{.size = sizeof more}, 5};
  OK(backsight_symbolizer_usage(symbolizer, &more.known));
  CHECK(more.later == 0 && more.known.size == sizeof more);
  OK(backsight_symbolizer_free(symbolizer));
}

static void texts(void) {
  backsight_symbolizer *symbolizer;
  backsight_symbols *symbols;
  uint64_t module;
  OK(backsight_symbolizer_new(NULL, &symbolizer));
  IS(backsight_symbolizer_add_file(symbolizer, NULL, NULL, &module), BACKSIGHT_ERROR_NULL);
  IS(backsight_symbolizer_add_file(symbolizer, "", NULL, &module), BACKSIGHT_ERROR_ARGUMENT);
  IS(backsight_symbolizer_add_file(symbolizer, "/no/\xff\xfe", NULL, &module), BACKSIGHT_ERROR_IO);
  CHECK(backsight_last_errno() == ENOENT);
  IS(backsight_symbolizer_add_fd(symbolizer, -1, NULL, NULL, &module), BACKSIGHT_ERROR_IO);
  CHECK(backsight_last_errno() == EBADF);
  IS(backsight_symbolizer_add_fd(symbolizer, 1000000, NULL, NULL, &module), BACKSIGHT_ERROR_IO);
  int ends[2];
  CHECK(pipe(ends) == 0);
  CHECK(backsight_symbolizer_add_fd(symbolizer, ends[0], NULL, NULL, &module) != BACKSIGHT_OK);
  SAYS("not a regular file");
  close(ends[0]);
  close(ends[1]);
  uint8_t id[65] = {1};
  IS(backsight_symbolizer_add_build_id(symbolizer, id, 65, NULL, &module), BACKSIGHT_ERROR_ARGUMENT);
  IS(backsight_symbolizer_add_build_id(symbolizer, id, 0, NULL, &module), BACKSIGHT_ERROR_ARGUMENT);
  OK(backsight_symbolizer_add_file(symbolizer, "/proc/self/exe", NULL, &module));
  IS(backsight_symbolizer_symbols(symbolizer, module, "\xff", &symbols), BACKSIGHT_ERROR_ARGUMENT);
  IS(backsight_symbolizer_symbols(symbolizer, 99, NULL, &symbols), BACKSIGHT_ERROR_NOT_FOUND);
  IS(backsight_symbolizer_symbols(symbolizer, 0, NULL, &symbols), BACKSIGHT_ERROR_NOT_FOUND);
  backsight_answers *answers;
  OK(backsight_answers_new(&answers));
  backsight_request request = {.module = module, .kind = 9};
  IS(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers), BACKSIGHT_ERROR_ARGUMENT);
  request = (backsight_request){.module = module, .lookup = 9};
  IS(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers), BACKSIGHT_ERROR_ARGUMENT);
  OK(backsight_answers_free(answers));
  OK(backsight_symbolizer_free(symbolizer));

  backsight_session *session;
  OK(backsight_session_of_events(1, NULL, &session));
  backsight_mmap mmap = {.size = sizeof mmap, .start = 0x1000, .end = 0x2000, .name = "/a\0b", .name_len = 4};
  IS(backsight_session_on_mmap(session, &mmap), BACKSIGHT_ERROR_ARGUMENT);
  SAYS("NUL");
  mmap.end = mmap.start;
  mmap.name_len = 2;
  IS(backsight_session_on_mmap(session, &mmap), BACKSIGHT_ERROR_ARGUMENT);
  IS(backsight_session_on_mmap(session, NULL), BACKSIGHT_ERROR_NULL);
  IS(backsight_session_on_munmap(session, 2, 1), BACKSIGHT_ERROR_ARGUMENT);
  OK(backsight_session_close(session));
}

static void profiles(void) {
  backsight_profile *profile;
  backsight_profile_info info = {.size = sizeof info};
  IS(backsight_profile_read("/no/such", NULL, &profile), BACKSIGHT_ERROR_IO);
  CHECK(backsight_last_errno() == ENOENT);
  SAYS("/no/such");
  char path[] = "/tmp/backsight-capi-XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0);
  /* A tail that is no line, and a name that is not UTF-8. */
  const char folded[] = "main;work 3\nmain;\xff 2\nmain;rest\n";
  CHECK(write(fd, folded, sizeof folded - 1) == sizeof folded - 1);
  close(fd);
  backsight_profile_options options = {.size = sizeof options, .format = BACKSIGHT_FORMAT_FOLDED};
  OK(backsight_profile_read(path, &options, &profile));
  OK(backsight_profile_info_of(profile, &info));
  CHECK(info.samples >= 1 && info.malformed >= 1);
  CHECK(strlen(backsight_profile_notes(profile)) > 0);
  OK(backsight_profile_symbolize(profile));
  IS(backsight_profile_write(profile, "/tmp/x.unknown", 0), BACKSIGHT_ERROR_FORMAT);
  IS(backsight_profile_write(profile, "/no/such/dir.pb.gz", 0), BACKSIGHT_ERROR_IO);
  IS(backsight_profile_write_fd(profile, 1000000, BACKSIGHT_FORMAT_FOLDED), BACKSIGHT_ERROR_IO);
  IS(backsight_profile_write_fd(profile, 1, BACKSIGHT_FORMAT_PERF), BACKSIGHT_ERROR_FORMAT);
  CHECK(backsight_profile_notes(NULL) == NULL);
  OK(backsight_profile_free(profile));
  options.format = BACKSIGHT_FORMAT_PERF;
  CHECK(backsight_profile_read(path, &options, &profile) != BACKSIGHT_OK && profile == NULL);
  options.format = 77;
  IS(backsight_profile_read(path, &options, &profile), BACKSIGHT_ERROR_FORMAT);
  unlink(path);
}

int main(void) {
  CHECK(backsight_abi_version() == BACKSIGHT_ABI_VERSION);
  CHECK(strcmp(backsight_last_error(), "") == 0 && backsight_last_errno() == 0);
  CHECK(strcmp(backsight_status_name(-5), "unknown") == 0);
  CHECK(strcmp(backsight_reason_name(12345), "unknown") == 0);
  handles();
  sizes();
  texts();
  profiles();
  puts("fine");
}
