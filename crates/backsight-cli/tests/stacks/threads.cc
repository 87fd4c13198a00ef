// Many threads that wait in several ways, below templates and inlined functions.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::mutex lock;
static std::condition_variable turn;

namespace deep {
template <int N> struct Level {
    __attribute__((noinline)) static int down(int n) {
        int found = Level<N - 1>::down(n + 1);
        asm volatile("" ::: "memory");
        return found + 1;
    }
};
template <> struct Level<0> {
    __attribute__((noinline)) static int down(int n) {
        int pipes[2];
        char one;
        switch (n % 4) {
        case 0: {
            std::unique_lock<std::mutex> held(lock);
            turn.wait(held, [] { return false; });
            break;
        }
        case 1:
            pause();
            break;
        case 2:
            poll(nullptr, 0, -1);
            break;
        default:
            if (pipe(pipes) == 0 && read(pipes[0], &one, 1)) return 3;
        }
        return n;
    }
};
} // namespace deep

int main(int count, char **args) {
    int wanted = count > 1 ? atoi(args[1]) : 50;
    std::vector<std::thread> all;
    for (int i = 1; i < wanted; i++) all.emplace_back([i] { deep::Level<6>::down(i); });
    puts("ready");
    fflush(stdout);
    for (auto &one : all) one.join();
}
