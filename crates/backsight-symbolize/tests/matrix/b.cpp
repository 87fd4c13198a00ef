// A second unit, with functions of the same names.
extern "C" int volatile sink;
extern "C" int exported(int k);

namespace outer {
namespace {
__attribute__((noinline)) int hidden(int k) {
    int volatile z = k;
    return z * 7;
}
} // namespace
int second(int k) {
    auto twice = [k](int n) {
        sink = n;
        return n * 2 + k;
    };
    return hidden(k) + exported(k) + twice(k);
}
} // namespace outer

static inline __attribute__((always_inline)) int innermost(int k) {
    sink = k;
    return k - 1;
}
static inline __attribute__((always_inline)) int inner(int k) {
    sink += innermost(k) * 2;
    return innermost(k + 1);
}
extern "C" int nested(int k) {
    int sum = inner(k);
    for (int i = 0; i < k; i++) {
        sum += inner(i);
    }
    return sum;
}
