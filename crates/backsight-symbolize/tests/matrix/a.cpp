// Functions of every linkage, inlined ones, and one that has a cold part.
extern "C" {
int volatile sink;
}

namespace outer {
namespace {
__attribute__((noinline)) int hidden(int k) {
    int volatile z = k;
    return z * 3;
}
inline int folded(int k) {
    sink = k;
    return k + 1;
}
struct Hidden {
    int value;
    __attribute__((noinline)) int method(int k) const {
        sink = k;
        return folded(value + k) + folded(k);
    }
};
} // namespace

struct Shown {
    int value;
    Shown(int k);
    virtual ~Shown();
    virtual int compute(int k);
    static int helper(int k);
};
Shown::Shown(int k) : value(folded(k)) {}
Shown::~Shown() { sink = value; }
int Shown::compute(int k) { return hidden(k) + Hidden{k}.method(value); }
int Shown::helper(int k) {
    int sum = 0;
    for (int i = 0; i < k; i++) {
        sum += folded(i);
        sink = sum;
    }
    return sum;
}

template <typename T> __attribute__((noinline)) T generic(T k) {
    T volatile z = k;
    return z + static_cast<T>(folded(1));
}
template int generic<int>(int);
template long generic<long>(long);
} // namespace outer

static __attribute__((noinline)) int at_file_scope(int k) {
    int volatile z = k;
    return z * 5;
}

extern "C" {
int exported(int k) {
    return outer::generic(k) + outer::hidden(k + 1) + at_file_scope(k);
}
__attribute__((weak)) int weak_one(int k) { return exported(k) + 1; }
int an_alias(int k) __attribute__((alias("exported")));
}

// A library without the C++ runtime.
void operator delete(void *, unsigned long) noexcept { sink = 9; }
extern "C" void __cxa_pure_virtual() { sink = 8; }
namespace __cxxabiv1 {
struct __class_type_info {
    virtual void anchor();
};
void __class_type_info::anchor() {}
} // namespace __cxxabiv1
