/* Which calls of a process are about the files of the database under test.

   For libraries that are loaded before the C library (LD_PRELOAD) and stand between the sidecar and the system. SQLite calls what
   it does by the names with 64 in them, Swift by those without; both are the same here. */

#ifndef DATABASE_FILES_H
#define DATABASE_FILES_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a descriptor is open on. */
enum { OTHER = 0, DATABASE_FILE, DATABASE_FOLDER };

#define MOST_DESCRIPTORS 4096
static volatile unsigned char descriptors[MOST_DESCRIPTORS];
/* The database's path, and its folder; every file whose path begins so belongs to it. */
static const char *database;
static char folder[4096];

/* The C library's own function of this name. */
static void *next_named(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) {
    dprintf(2, "there is no %s\n", name);
    _exit(70);
  }
  return found;
}

/* The value of a variable of the environment that has to be there. */
static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    dprintf(2, "%s is not set\n", name);
    _exit(70);
  }
  return value;
}

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void find_real_calls(void) {
  real_open = next_named("open64");
  real_close = next_named("close");
  real_write = next_named("write");
  real_pwrite = next_named("pwrite64");
  real_ftruncate = next_named("ftruncate64");
  real_fsync = next_named("fsync");
  real_fdatasync = next_named("fdatasync");
}

/* Takes the database's path, with all links resolved, from FAULTS_DATABASE. */
static void read_database_path(void) {
  database = setting("FAULTS_DATABASE");
  const char *slash = strrchr(database, '/');
  if (!slash || (size_t)(slash - database) >= sizeof folder) {
    dprintf(2, "FAULTS_DATABASE is no absolute path\n");
    _exit(70);
  }
  memcpy(folder, database, slash - database);
}

/* What a path is of: what a descriptor on it is to be noted as. */
static int kind_of_path(const char *path) {
  if (!database) return OTHER;
  if (!strncmp(path, database, strlen(database))) return DATABASE_FILE;
  return strcmp(path, folder) ? OTHER : DATABASE_FOLDER;
}

static int kind_of(int descriptor) {
  return descriptor >= 0 && descriptor < MOST_DESCRIPTORS ? descriptors[descriptor] : OTHER;
}

static void note(int descriptor, int kind) {
  if (descriptor >= 0 && descriptor < MOST_DESCRIPTORS) descriptors[descriptor] = kind;
}

/* Of each library its own: makes everything ready, if it is not. Other libraries may call on us before it is our turn to begin. */
__attribute__((constructor)) static void begin(void);

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return open64(path, flags, mode);
}

int close(int descriptor) {
  begin();
  note(descriptor, OTHER);
  return real_close(descriptor);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) { return pwrite64(descriptor, data, size, offset); }

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

#endif
