/* A wall clock that a test puts forward or back: preloaded into a process, it adds to the time of day the milliseconds that
 * stand in the file which VESTIBULE_TEST_CLOCK names. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long long *ahead_ms;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("VESTIBULE_TEST_CLOCK");
  int file = name ? open(name, O_RDONLY) : -1;
  if (file < 0) abort();
  ahead_ms = mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, file, 0);
  if (ahead_ms == MAP_FAILED) abort();
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int result = syscall(SYS_gettimeofday, now, zone);
  if (result == 0 && now && ahead_ms) {
    long long micros = now->tv_sec * 1000000LL + now->tv_usec + *ahead_ms * 1000;
    now->tv_sec = micros / 1000000;
    now->tv_usec = micros % 1000000;
  }
  return result;
}
