/* What every C compiler understands, without a library. */
int volatile sink;

static inline __attribute__((always_inline)) int folded(int k) {
    sink = k;
    return k + 1;
}
static __attribute__((noinline)) int hidden(int k) {
    int volatile z = k;
    return z * 3 + folded(k);
}
__attribute__((noinline)) int exported(int k) {
    int sum = 0;
    for (int i = 0; i < k; i++) {
        sum += folded(i);
        sink = sum;
    }
    return sum + hidden(k);
}
__attribute__((weak)) int weak_one(int k) { return exported(k) + 1; }
int an_alias(int k) __attribute__((alias("exported")));
