// An exception that leaves a callback ends the process, and nothing else happens.
#include <backsight.h>

#include <cstdio>
#include <stdexcept>

static int fetch(void *, const uint8_t *, size_t, const char *, uint32_t, int *) {
  throw std::runtime_error("left");
}

int main() {
  backsight_symbol_options options = {};
  options.size = sizeof options;
  options.fetch = fetch;
  backsight_symbolizer *symbolizer;
  backsight_answers *answers;
  backsight_request request = {};
  const uint8_t id[20] = {1};
  if (backsight_symbolizer_new(&options, &symbolizer) || backsight_answers_new(&answers)) return 2;
  if (backsight_symbolizer_add_build_id(symbolizer, id, 20, nullptr, &request.module)) return 2;
  std::puts("asked");
  std::fflush(stdout);
  backsight_symbolizer_symbolize(symbolizer, &request, 1, answers);
  std::puts("went on");
}
