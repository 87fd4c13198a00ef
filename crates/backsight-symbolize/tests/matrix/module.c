/* Sections as a kernel module has them. */
int volatile sink;
static __attribute__((noinline)) int work(int k) {
    sink = k;
    return k * 3;
}
int __attribute__((section(".init.text"))) init_module(void) { return work(1); }
void __attribute__((section(".exit.text"))) cleanup_module(void) { work(2); }
int __attribute__((section(".ref.text"))) both(int k) { return work(k) + 1; }
