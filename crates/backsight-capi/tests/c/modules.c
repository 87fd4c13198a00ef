/* Sessions and their events, shared modules, symbolizers, lists of symbols, and callbacks. */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { KNOWN_LINE = __LINE__ + 1 };
__attribute__((noinline)) int known_function(int turns) { return turns * 3; }

static const uint64_t *address(void) {
  static uint64_t here;
  here = (uint64_t)(uintptr_t)known_function;
  return &here;
}

static void is_known(const backsight_answer *answer) {
  CHECK(answer != NULL && answer->frames != NULL && answer->next == NULL);
  CHECK(answer->frame_count == 1 && answer->reason == BACKSIGHT_REASON_NONE);
  const backsight_frame *frame = answer->frames;
  CHECK(strcmp(frame->function.data, "known_function") == 0);
  CHECK(frame->function.len == strlen("known_function"));
  CHECK(strstr(frame->file.data, "modules.c") != NULL && frame->line == KNOWN_LINE);
  CHECK((frame->flags & BACKSIGHT_FRAME_START) != 0);
}

/* From an address of the process to a line by a session and a symbolizer; the path that a
 * profiler takes. */
static void own_module(backsight_answers *answers) {
  backsight_session_options options = {.size = sizeof options, .flags = BACKSIGHT_SESSION_IMAGES};
  backsight_session *session;
  backsight_symbolizer *symbolizer;
  backsight_place place;
  const backsight_module *module, *again;
  uint64_t id, same, virtual_offset;
  OK(backsight_modules_new(&options.modules));
  OK(backsight_session_open(getpid(), &options, &session));
  OK(backsight_session_normalize(session, address(), 1, &place));
  CHECK(place.reason == 0 && place.module < backsight_session_module_count(session));
  OK(backsight_session_module(session, place.module, &module));
  OK(backsight_session_module(session, place.module, &again));
  CHECK(module == again && module->inode != 0 && module->index == place.module);
  CHECK(strstr(module->path.data, "modules") != NULL && module->build_id.len == 20);
  IS(backsight_session_module(session, 1000, &again), BACKSIGHT_ERROR_NOT_FOUND);
  OK(backsight_session_virtual_offset(session, place.module, place.file_offset, &virtual_offset));

  OK(backsight_symbolizer_new(NULL, &symbolizer));
  const char *roots[] = {"/"};
  backsight_module_options of = {.size = sizeof of, .roots = roots, .root_count = 1};
  OK(backsight_symbolizer_add_module(symbolizer, session, place.module, NULL, &id));
  OK(backsight_symbolizer_add_module(symbolizer, session, place.module, NULL, &same));
  CHECK(id == same);
  OK(backsight_symbolizer_add_module(symbolizer, session, place.module, &of, &same));
  CHECK(id != same);
  backsight_request requests[] = {
      {.module = id, .address = place.file_offset, .kind = BACKSIGHT_ADDRESS_FILE_OFFSET},
      {.module = same, .address = virtual_offset},
  };
  OK(backsight_symbolizer_symbolize(symbolizer, requests, 1, answers));
  is_known(backsight_answers_first(answers));
  /* Frames are borrowed from the answers, not from the symbolizer. */
  OK(backsight_symbolizer_evict(symbolizer, 0));
  is_known(backsight_answers_at(answers, 0));
  OK(backsight_symbolizer_symbolize(symbolizer, requests + 1, 1, answers));
  OK(backsight_symbolizer_remove(symbolizer, same));
  IS(backsight_symbolizer_remove(symbolizer, same), BACKSIGHT_ERROR_NOT_FOUND);
  backsight_usage usage = {.size = sizeof usage};
  OK(backsight_symbolizer_usage(symbolizer, &usage));
  CHECK(usage.modules == 1);
  OK(backsight_symbolizer_free(symbolizer));
  is_known(backsight_answers_first(answers));

  size_t dropped = 0;
  OK(backsight_session_release_images(session, 0, &dropped));
  OK(backsight_modules_release_images(options.modules, 0, NULL));
  CHECK(dropped >= 1);
  OK(backsight_modules_remove(options.modules, place.module));
  IS(backsight_modules_remove(options.modules, 1000), BACKSIGHT_ERROR_NOT_FOUND);
  OK(backsight_session_normalize(session, address(), 1, &place));
  CHECK(place.reason == 0);
  OK(backsight_modules_free(options.modules));
  OK(backsight_session_normalize(session, address(), 1, &place));
  OK(backsight_session_close(session));
}

/* A session without images says so. */
static void no_images(void) {
  backsight_session *session;
  backsight_symbolizer *symbolizer;
  backsight_place place;
  uint64_t id;
  OK(backsight_session_open_self(NULL, &session));
  OK(backsight_session_normalize(session, address(), 1, &place));
  OK(backsight_symbolizer_new(NULL, &symbolizer));
  IS(backsight_symbolizer_add_module(symbolizer, session, place.module, NULL, &id), BACKSIGHT_ERROR_OPTIONS);
  OK(backsight_symbolizer_free(symbolizer));
  OK(backsight_session_close(session));
}

static void events(void) {
  backsight_session *session, *child;
  backsight_place place;
  uint64_t inside = 0x1010;
  OK(backsight_session_of_events(7, NULL, &session));
  const char name[] = "/bin/short";
  uint8_t id[] = {0xab, 0xcd};
  backsight_mmap mmap = {
      .size = sizeof mmap, .start = 0x1000, .end = 0x2000, .file_offset = 0x3000,
      .flags = BACKSIGHT_MMAP_READ | BACKSIGHT_MMAP_EXECUTE, .inode = 42,
      .build_id = id, .build_id_len = 2, .name = name, .name_len = sizeof name - 1,
  };
  OK(backsight_session_on_mmap(session, &mmap));
  OK(backsight_session_on_fork(session, 8, &child));
  OK(backsight_session_on_exit(session));
  for (int i = 0; i < 2; i++) {
    backsight_session *of = i ? child : session;
    OK(backsight_session_normalize(of, &inside, 1, &place));
    CHECK(place.reason == 0 && place.file_offset == 0x3010);
    const backsight_module *module;
    OK(backsight_session_module(of, place.module, &module));
    CHECK(strcmp(module->path.data, name) == 0 && module->build_id.len == 2);
    CHECK(memcmp(module->build_id.data, id, 2) == 0);
  }
  OK(backsight_session_on_munmap(session, 0x1000, 0x2000));
  OK(backsight_session_normalize(session, &inside, 1, &place));
  CHECK(place.reason == BACKSIGHT_REASON_UNMAPPED);
  OK(backsight_session_on_exec(child));
  OK(backsight_session_normalize(child, &inside, 1, &place));
  CHECK(place.reason == BACKSIGHT_REASON_PROCESS_GONE);
  OK(backsight_session_close(session));
  OK(backsight_session_close(child));
}

/* A file's symbols, and its lines from bytes; what libbacktrace is asked for. */
static void file(const char *self, backsight_answers *answers) {
  backsight_symbolizer *symbolizer;
  backsight_symbols *symbols;
  uint64_t id, of_bytes, of_fd;
  OK(backsight_symbolizer_new(NULL, &symbolizer));
  OK(backsight_symbolizer_add_file(symbolizer, self, NULL, &id));
  OK(backsight_symbolizer_symbols(symbolizer, id, "known_function", &symbols));
  CHECK(backsight_symbols_count(symbols) == 1);
  const backsight_symbol *symbol = backsight_symbols_first(symbols);
  CHECK(symbol->next == NULL && symbol->kind == BACKSIGHT_SYMBOL_FUNCTION && symbol->bytes > 0);
  CHECK(symbol->line == KNOWN_LINE);
  backsight_request request = {.module = id, .address = symbol->start};
  OK(backsight_symbols_free(symbols));
  OK(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers));
  is_known(backsight_answers_first(answers));
  OK(backsight_symbolizer_symbols(symbolizer, id, NULL, &symbols));
  size_t count = 0;
  int found = 0;
  for (symbol = backsight_symbols_first(symbols); symbol; symbol = symbol->next, count++) {
    CHECK(symbol->next == NULL || symbol->start <= symbol->next->start);
    found += strcmp(symbol->name.data, "main") == 0;
  }
  CHECK(found == 1 && count == backsight_symbols_count(symbols));
  OK(backsight_symbols_free(symbols));

  FILE *in = fopen(self, "rb");
  CHECK(in != NULL && fseek(in, 0, SEEK_END) == 0);
  size_t size = ftell(in);
  uint8_t *bytes = malloc(size);
  rewind(in);
  CHECK(bytes != NULL && fread(bytes, 1, size, in) == size);
  OK(backsight_symbolizer_add_bytes(symbolizer, bytes, size, NULL, &of_bytes));
  memset(bytes, 0, size); /* they were copied */
  free(bytes);
  OK(backsight_symbolizer_add_fd(symbolizer, fileno(in), self, NULL, &of_fd));
  fclose(in);
  request.module = of_bytes;
  OK(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers));
  is_known(backsight_answers_first(answers));
  request.module = of_fd;
  OK(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers));
  is_known(backsight_answers_first(answers));
  OK(backsight_symbolizer_free(symbolizer));

  /* Names alone: no line. */
  backsight_symbol_options options = {.size = sizeof options, .flags = BACKSIGHT_NAMES_ONLY};
  OK(backsight_symbolizer_new(&options, &symbolizer));
  OK(backsight_symbolizer_add_file(symbolizer, self, NULL, &request.module));
  OK(backsight_symbolizer_symbolize(symbolizer, &request, 1, answers));
  const backsight_frame *frame = backsight_answers_first(answers)->frames;
  CHECK(strcmp(frame->function.data, "known_function") == 0 && frame->line == 0);
  CHECK(frame->file.data == NULL && frame->next == NULL);
  OK(backsight_symbolizer_free(symbolizer));
}

struct fetched {
  const char *path;
  int mode, calls;
  backsight_status inside;
  backsight_symbolizer *symbolizer;
};

static int fetch(void *data, const uint8_t *id, size_t len, const char *path, uint32_t kind, int *fd) {
  struct fetched *of = data;
  CHECK(len == 20 && id != NULL && path == NULL && kind <= BACKSIGHT_FETCH_SUPPLEMENTARY);
  __atomic_add_fetch(&of->calls, 1, __ATOMIC_SEQ_CST);
  switch (of->mode) {
    case 0: *fd = open(of->path, O_RDONLY | O_CLOEXEC); return BACKSIGHT_FETCH_FOUND;
    case 1: return BACKSIGHT_FETCH_NONE;
    case 2: return EIO;
    case 3: return BACKSIGHT_FETCH_FOUND; /* and no descriptor */
    case 4: *fd = 1000000; return BACKSIGHT_FETCH_FOUND;
    case 5: return -77;
    case 6: *fd = open("/bin/sh", O_RDONLY | O_CLOEXEC); return BACKSIGHT_FETCH_FOUND; /* another build */
    default: of->inside = backsight_symbolizer_evict(of->symbolizer, 0); return BACKSIGHT_FETCH_NONE;
  }
}

static void callbacks(const char *self, backsight_answers *answers) {
  backsight_session *session;
  backsight_place place;
  const backsight_module *module;
  OK(backsight_session_open_self(NULL, &session));
  OK(backsight_session_normalize(session, address(), 1, &place));
  OK(backsight_session_module(session, place.module, &module));
  uint64_t virtual_offset;
  OK(backsight_session_virtual_offset(session, place.module, place.file_offset, &virtual_offset));
  for (int mode = 0; mode <= 7; mode++) {
    struct fetched of = {.path = self, .mode = mode};
    backsight_symbol_options options = {.size = sizeof options, .fetch = fetch, .fetch_data = &of};
    OK(backsight_symbolizer_new(&options, &of.symbolizer));
    backsight_request request = {.address = virtual_offset};
    OK(backsight_symbolizer_add_build_id(of.symbolizer, (const uint8_t *)module->build_id.data,
                                         module->build_id.len, NULL, &request.module));
    OK(backsight_symbolizer_symbolize(of.symbolizer, &request, 1, answers));
    CHECK(of.calls > 0);
    if (mode == 0) is_known(backsight_answers_first(answers));
    else CHECK(backsight_answers_first(answers)->reason != 0 && backsight_answers_first(answers)->frames == NULL);
    if (mode == 7) CHECK(of.inside == BACKSIGHT_ERROR_IN_CALLBACK);
    OK(backsight_symbolizer_free(of.symbolizer));
  }
  OK(backsight_session_close(session));
}

/* A library that is loaded after the process was opened is found. */
static void loaded_later(const char *library, backsight_answers *answers) {
  backsight_process *self;
  OK(backsight_self_open(NULL, &self));
  OK(backsight_process_symbolize(self, address(), 1, BACKSIGHT_ADDRESSES_EXACT, answers));
  is_known(backsight_answers_first(answers));
  for (int turn = 0; turn < 2; turn++) {
    void *loaded = dlopen(library, RTLD_NOW);
    CHECK(loaded != NULL);
    uint64_t late = (uint64_t)(uintptr_t)dlsym(loaded, "late_function");
    CHECK(late != 0);
    OK(backsight_process_symbolize(self, &late, 1, BACKSIGHT_ADDRESSES_EXACT, answers));
    const backsight_answer *answer = backsight_answers_first(answers);
    CHECK(answer->frames != NULL && strcmp(answer->frames->function.data, "late_function") == 0);
    CHECK(answer->module != NULL && strstr(answer->module->path.data, "late") != NULL);
    dlclose(loaded);
    OK(backsight_process_symbolize(self, &late, 1, BACKSIGHT_ADDRESSES_EXACT, answers));
    CHECK(backsight_answers_first(answers)->frames == NULL);
  }
  IS(backsight_process_symbolize(self, address(), 1, 9, answers), BACKSIGHT_ERROR_ARGUMENT);
  OK(backsight_process_close(self));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  backsight_answers *answers;
  OK(backsight_answers_new(&answers));
  own_module(answers);
  no_images();
  events();
  file(argv[0], answers);
  callbacks(argv[0], answers);
  loaded_later(argv[1], answers);
  OK(backsight_answers_free(answers));
  puts("fine");
}
