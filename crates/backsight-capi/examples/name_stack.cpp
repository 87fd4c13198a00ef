// Names a stack of a live process: name_stack PID ADDRESS..., innermost first.
//
//     c++ name_stack.cpp $(pkg-config --cflags --libs backsight) -o name_stack
#include <backsight.h>

#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <memory>
#include <vector>

static void print(const backsight_answer &answer) {
  std::cout << std::hex << std::showbase << std::left << std::setw(18) << answer.address << ' ';
  if (!answer.frames) std::cout << '[' << backsight_reason_name(answer.reason) << "]\n";
  for (auto *frame = answer.frames; frame; frame = frame->next) {
    std::cout << std::setw(frame == answer.frames ? 0 : 19) << "" << frame->function.data;
    if (frame->flags & BACKSIGHT_FRAME_INLINED) std::cout << " [inlined]";
    if (frame->flags & BACKSIGHT_FRAME_OFFSET) std::cout << '+' << frame->offset;
    if (frame->file.data) std::cout << "  " << frame->file.data << ':' << std::dec << frame->line;
    if (frame->column) std::cout << ':' << frame->column;
    if (!frame->next) std::cout << "  (" << answer.module->path.data << ')';
    std::cout << std::hex << '\n';
  }
}

int main(int argc, char **argv) {
  std::vector<uint64_t> stack;
  for (int i = 2; i < argc; i++) stack.push_back(std::strtoull(argv[i], nullptr, 0));
  backsight_process *process = nullptr;
  backsight_answers *answers = nullptr;
  if (backsight_process_open(std::atoi(argv[1]), nullptr, &process) || backsight_answers_new(&answers))
    return std::cerr << backsight_last_error() << '\n', EXIT_FAILURE;
  std::unique_ptr<backsight_process, decltype(&backsight_process_close)> close(process, backsight_process_close);
  std::unique_ptr<backsight_answers, decltype(&backsight_answers_free)> free(answers, backsight_answers_free);
  if (backsight_process_symbolize(process, stack.data(), stack.size(), BACKSIGHT_ADDRESSES_STACK, answers))
    return std::cerr << backsight_last_error() << '\n', EXIT_FAILURE;
  for (auto *answer = backsight_answers_first(answers); answer; answer = answer->next) print(*answer);
}
