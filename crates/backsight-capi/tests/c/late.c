/* A library that is loaded late. */
int late_function(void) { return 5; }
