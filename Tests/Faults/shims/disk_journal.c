/* Writes down what processes do to the files of a database, with all data, and when they answer.

   FAULTS_JOURNAL names the journal, FAULTS_DATABASE the database. Each call and its record are one step for all
   processes that have the same journal, so its order is the order in which things took place: a write that stands before a sync had
   ended before that sync began, and an answer that stands behind it came after it. The lock file and the shared memory are left
   out: the one is empty, the other is made anew after a power cut.

   With FAULTS_FAILING_SYNCS="PERIOD LENGTH", once a process has answered anything, of each PERIOD syncs of its files the first LENGTH
   fail with EIO and bring nothing to the disk. */

#define _GNU_SOURCE
#include "database_files.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/uio.h>

enum { CREATE = 1, UNLINK, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, ANSWER, FAILED_SYNC };

/* Before the data of a record: bytes that were written, or the name of a file. */
struct record {
  uint32_t kind;
  uint32_t process;
  uint64_t inode;
  /* Where it was written, or the new length. */
  uint64_t offset;
  uint64_t size;
};

static int journal = -1;
static struct stat answers;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int has_answered;
static unsigned period, length, syncs;

static int (*real_unlink)(const char *);

static void begin(void) {
  if (journal >= 0) return;
  real_unlink = next_named("unlink");
  find_real_calls();
  read_database_path();
  fstat(1, &answers);
  const char *failing = getenv("FAULTS_FAILING_SYNCS");
  if (failing && (sscanf(failing, "%u %u", &period, &length) != 2 || length >= period)) {
    dprintf(2, "FAULTS_FAILING_SYNCS is no period with a length below it\n");
    _exit(70);
  }
  journal = real_open(setting("FAULTS_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) {
    dprintf(2, "the journal cannot be opened\n");
    _exit(70);
  }
}

/* From here to `leave` no other thread and no other process does anything that is written down. */
static void enter(void) {
  pthread_mutex_lock(&mutex);
  while (flock(journal, LOCK_EX) != 0 && errno == EINTR) {
  }
}

static void leave(void) {
  int kept = errno;
  flock(journal, LOCK_UN);
  pthread_mutex_unlock(&mutex);
  errno = kept;
}

static void append(uint32_t kind, uint64_t inode, uint64_t offset, const void *data, uint64_t size) {
  int kept = errno;
  struct record record = {kind, getpid(), inode, offset, size};
  struct iovec parts[] = {{&record, sizeof record}, {(void *)data, size}};
  if (writev(journal, parts, 2) != (ssize_t)(sizeof record + size)) {
    dprintf(2, "the journal cannot be written\n");
    _exit(70);
  }
  errno = kept;
}

static uint64_t inode_of(int descriptor) {
  struct stat state;
  return fstat(descriptor, &state) == 0 ? state.st_ino : 0;
}

static int is_journaled(const char *path) {
  if (kind_of_path(path) != DATABASE_FILE) return 0;
  const char *end = path + strlen(database);
  return strcmp(end, ".lock") && strcmp(end, "-shm");
}

static const char *name_of(const char *path) { return path + strlen(folder) + 1; }

int open64(const char *path, int flags, ...) {
  begin();
  va_list arguments;
  va_start(arguments, flags);
  int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, int) : 0;
  va_end(arguments);
  if (kind_of_path(path) == DATABASE_FOLDER) {
    int descriptor = real_open(path, flags, mode);
    note(descriptor, DATABASE_FOLDER);
    return descriptor;
  }
  if (!is_journaled(path)) return real_open(path, flags, mode);
  enter();
  struct stat before;
  int existed = stat(path, &before) == 0;
  int descriptor = real_open(path, flags, mode);
  if (descriptor >= 0) {
    note(descriptor, DATABASE_FILE);
    const char *name = name_of(path);
    if (!existed) append(CREATE, inode_of(descriptor), 0, name, strlen(name));
    if (existed && flags & O_TRUNC) append(TRUNCATE, inode_of(descriptor), 0, 0, 0);
  }
  leave();
  return descriptor;
}

/* Whether a descriptor is the pipe that stdout was at the start, by whatever number. */
static int is_answer(int descriptor) {
  struct stat state;
  return fstat(descriptor, &state) == 0 && S_ISFIFO(state.st_mode) && state.st_ino == answers.st_ino
    && state.st_dev == answers.st_dev;
}

ssize_t write(int descriptor, const void *data, size_t size) {
  begin();
  int kind = kind_of(descriptor) == DATABASE_FILE ? WRITE : is_answer(descriptor) ? ANSWER : 0;
  if (!kind) return real_write(descriptor, data, size);
  enter();
  off64_t offset = kind == WRITE ? lseek64(descriptor, 0, SEEK_CUR) : 0;
  ssize_t count = real_write(descriptor, data, size);
  if (count > 0) append(kind, inode_of(descriptor), offset, data, count);
  if (count > 0 && kind == ANSWER) has_answered = 1;
  leave();
  return count;
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
  begin();
  if (kind_of(descriptor) != DATABASE_FILE) return real_pwrite(descriptor, data, size, offset);
  enter();
  ssize_t count = real_pwrite(descriptor, data, size, offset);
  if (count > 0) append(WRITE, inode_of(descriptor), offset, data, count);
  leave();
  return count;
}

int ftruncate64(int descriptor, off64_t length) {
  begin();
  if (kind_of(descriptor) != DATABASE_FILE) return real_ftruncate(descriptor, length);
  enter();
  int result = real_ftruncate(descriptor, length);
  if (result == 0) append(TRUNCATE, inode_of(descriptor), length, 0, 0);
  leave();
  return result;
}

static int synced(int descriptor, int isData) {
  begin();
  int (*sync)(int) = isData ? real_fdatasync : real_fsync;
  int kind = kind_of(descriptor);
  if (kind == OTHER) return sync(descriptor);
  enter();
  if (kind == DATABASE_FILE && period && has_answered && syncs++ % period < length) {
    append(FAILED_SYNC, inode_of(descriptor), 0, 0, 0);
    leave();
    errno = EIO;
    return -1;
  }
  int result = sync(descriptor);
  if (result == 0) append(kind == DATABASE_FOLDER ? SYNC_FOLDER : SYNC, inode_of(descriptor), 0, 0, 0);
  leave();
  return result;
}

int fsync(int descriptor) { return synced(descriptor, 0); }

int fdatasync(int descriptor) { return synced(descriptor, 1); }

int unlink(const char *path) {
  begin();
  if (!is_journaled(path)) return real_unlink(path);
  enter();
  int result = real_unlink(path);
  if (result == 0) append(UNLINK, 0, 0, name_of(path), strlen(name_of(path)));
  leave();
  return result;
}
