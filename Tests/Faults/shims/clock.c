// Sets the clock on the wall for the programs that are loaded with it, and leaves the clocks alone that nobody can set.
//
// $CLOCK_FILE holds a 64-bit number of nanoseconds that the clock is ahead; whoever writes it has set the clock, for all of them and at
// once. Waits until a moment of that clock end as the kernel's do when it is set: libfaketime, which reads its setting in intervals, works
// out at the beginning of a wait how long it is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
// A moment before this one is no time of the clock on the wall, but of one that counts from the start of the machine.
#define LONGEST_UPTIME 1000000000LL

static const volatile int64_t *ahead;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

__attribute__((constructor)) static void prepare(void) {
  real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  // glibc has an older one of the same name.
  real_timedwait = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
      RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  const char *path = getenv("CLOCK_FILE");
  int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (descriptor < 0) abort();
  ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, descriptor, 0);
  if (ahead == MAP_FAILED) abort();
  close(descriptor);
}

static int64_t nanoseconds(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

static struct timespec moment(int64_t nanoseconds) {
  return (struct timespec){.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (!real_gettime) prepare();
  int result = real_gettime(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *time = moment(nanoseconds(time) + *ahead);
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  if (until->tv_sec < LONGEST_UPTIME) return real_timedwait(condition, mutex, until);
  struct timespec now;
  while (1) {
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = nanoseconds(until) - nanoseconds(&now);
    if (left <= 0) return ETIMEDOUT;
    // By the clock as it is, and not for long: it may be set meanwhile.
    real_gettime(CLOCK_REALTIME, &now);
    struct timespec slice = moment(nanoseconds(&now) + (left < SECOND / 100 ? left : SECOND / 100));
    int result = real_timedwait(condition, mutex, &slice);
    if (result != ETIMEDOUT) return result;
  }
}
