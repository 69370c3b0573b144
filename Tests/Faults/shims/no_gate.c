/* Takes the gate away: its locks are granted to everybody at once.

   Nothing else in a sidecar calls flock or asks for locks of open file descriptions; SQLite's own locks are those of processes, and
   stay. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>

int flock(int descriptor, int operation) {
  (void)descriptor, (void)operation;
  return 0;
}

static int control(const char *name, int descriptor, int command, void *argument) {
  if (command == F_OFD_SETLK || command == F_OFD_SETLKW) return 0;
  if (command == F_OFD_GETLK) {
    ((struct flock *)argument)->l_type = F_UNLCK;
    return 0;
  }
  int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, name);
  return real(descriptor, command, argument);
}

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return control("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return control("fcntl64", descriptor, command, argument);
}
