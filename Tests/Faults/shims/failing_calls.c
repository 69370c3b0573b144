/* Lets calls on the files of a database fail: those from a first to a last one of a kind, by number.

   FAULTS_STATE names a file with `struct state`, which is shared with whoever set it up: the counts are read there, and the
   numbers may be changed there while the process runs. FAULTS_DATABASE names the database. A call that fails has no effect; with 0 for
   the error it does half of what it was to do. Interrupted is every other call only: who tries again gets on. */

#define _GNU_SOURCE
#include "database_files.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

enum kind { READ, WRITE, SYNC, TRUNCATE, OPEN, MAP, KINDS };

struct state {
  int64_t first;
  int64_t last;
  int32_t kind;
  int32_t error;
  int64_t failed;
  int64_t calls[KINDS];
};

static volatile struct state *state;

static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static void *(*real_mmap)(void *, size_t, int, int, int, off64_t);

static void begin(void) {
  if (state) return;
  real_pread = next_named("pread64");
  real_mmap = next_named("mmap64");
  find_real_calls();
  read_database_path();
  int file = real_open(setting("FAULTS_STATE"), O_RDWR | O_CLOEXEC);
  void *mapped = file < 0 ? MAP_FAILED : real_mmap(0, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) {
    dprintf(2, "the state cannot be had\n");
    _exit(70);
  }
  real_close(file);
  state = mapped;
}

/* Counts a call, and says whether it is to fail. errno is set then. */
static int fails(enum kind kind) {
  int64_t number = __atomic_add_fetch(&state->calls[kind], 1, __ATOMIC_SEQ_CST);
  if (state->kind != (int32_t)kind || number < state->first || number > state->last) return 0;
  if (state->error == EINTR && (number - state->first) % 2) return 0;
  __atomic_add_fetch(&state->failed, 1, __ATOMIC_SEQ_CST);
  errno = state->error;
  return 1;
}

/* How much of a size is done by a call that is to fail: nothing, or half of it. */
static size_t part_of(size_t size) { return state->error ? 0 : size > 1 ? size / 2 : size; }

int open64(const char *path, int flags, ...) {
  begin();
  va_list arguments;
  va_start(arguments, flags);
  int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, int) : 0;
  va_end(arguments);
  int kind = kind_of_path(path);
  if (kind != OTHER && fails(OPEN)) return -1;
  int descriptor = real_open(path, flags, mode);
  note(descriptor, kind);
  return descriptor;
}

ssize_t write(int descriptor, const void *data, size_t size) {
  begin();
  if (kind_of(descriptor) == OTHER || !fails(WRITE)) return real_write(descriptor, data, size);
  return part_of(size) ? real_write(descriptor, data, part_of(size)) : -1;
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
  begin();
  if (kind_of(descriptor) == OTHER || !fails(WRITE)) return real_pwrite(descriptor, data, size, offset);
  return part_of(size) ? real_pwrite(descriptor, data, part_of(size), offset) : -1;
}

ssize_t pread64(int descriptor, void *data, size_t size, off64_t offset) {
  begin();
  if (kind_of(descriptor) == OTHER || !fails(READ)) return real_pread(descriptor, data, size, offset);
  return part_of(size) ? real_pread(descriptor, data, part_of(size), offset) : -1;
}

ssize_t pread(int descriptor, void *data, size_t size, off_t offset) { return pread64(descriptor, data, size, offset); }

int ftruncate64(int descriptor, off64_t length) {
  begin();
  return kind_of(descriptor) != OTHER && fails(TRUNCATE) ? -1 : real_ftruncate(descriptor, length);
}

int fsync(int descriptor) {
  begin();
  return kind_of(descriptor) != OTHER && fails(SYNC) ? -1 : real_fsync(descriptor);
}

int fdatasync(int descriptor) {
  begin();
  return kind_of(descriptor) != OTHER && fails(SYNC) ? -1 : real_fdatasync(descriptor);
}

void *mmap64(void *address, size_t size, int protection, int flags, int descriptor, off64_t offset) {
  begin();
  if (kind_of(descriptor) != OTHER && fails(MAP)) return MAP_FAILED;
  return real_mmap(address, size, protection, flags, descriptor, offset);
}

void *mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
  return mmap64(address, size, protection, flags, descriptor, offset);
}
