/* Another program on the database: it commits, or checkpoints, as fast as it can.

     wal_peer DATABASE write NUMBER gate|free      adds rows to the table peers, one a commit, each with a checkpoint behind it
     wal_peer DATABASE checkpoint NUMBER gate|free

   With `gate` each commit, each checkpoint and the closing is under the gate of Sources/RenderStore/SQLite/Gate.swift, else under
   SQLite's own locks alone. The table has to be there. It goes on until stdin ends, and then tells how many of them succeeded, and the first
   error: that of a damaged database ends it early. Busy is none. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char lock_path[4096];
static int lock_file = -1;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void turn_stile(short kind) {
  struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
  while (fcntl(lock_file, F_OFD_SETLKW, &lock) != 0)
    ;
}

/* By turns, and at the file that bears the name. */
static void enter(int has_gate) {
  if (!has_gate) return;
  for (;;) {
    struct stat own, named;
    if (lock_file < 0) lock_file = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_file < 0) fail(lock_path);
    turn_stile(F_WRLCK);
    while (flock(lock_file, LOCK_EX) != 0)
      ;
    turn_stile(F_UNLCK);
    if (fstat(lock_file, &own) == 0 && stat(lock_path, &named) == 0 && own.st_ino == named.st_ino && own.st_dev == named.st_dev) return;
    close(lock_file);
    lock_file = -1;
  }
}

static void leave(int has_gate) {
  if (has_gate) flock(lock_file, LOCK_UN);
}

static int is_wanted(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) == 0;
}

/* SQLite asks for this, in a process that has read the file by mmap, right after a checkpoint has read how long the log is. There it is
   held up, as the scheduler may do it to anybody at any time: so the moment that matters need not be waited for. */
static int unmap_late(void *address, size_t length) {
  usleep(300);
  return munmap(address, length);
}

int main(int count, char **arguments) {
  if (count != 5) return 64;
  const char *path = arguments[1];
  int writes = strcmp(arguments[2], "write") == 0, number = atoi(arguments[3]), has_gate = strcmp(arguments[4], "gate") == 0;
  snprintf(lock_path, sizeof lock_path, "%s.lock", path);

  sqlite3_vfs *system = sqlite3_vfs_find(NULL);
  if (!writes && system->xSetSystemCall(system, "munmap", (sqlite3_syscall_ptr)unmap_late) != SQLITE_OK) fail("munmap");
  sqlite3 *database;
  sqlite3_stmt *insert = NULL, *last = NULL;
  /* Quick, as nobody cuts the power here. */
  const char *settings = "PRAGMA synchronous = OFF; PRAGMA cache_size = 50; PRAGMA mmap_size = 268435456";
  long done = 0;
  enter(has_gate);
  int code = sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL);
  sqlite3_busy_timeout(database, 10000);
  if (code == SQLITE_OK) code = sqlite3_exec(database, settings, NULL, NULL, NULL);
  sqlite3_wal_autocheckpoint(database, writes);
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(database, "INSERT INTO peers VALUES (?1, ?2, ?3)", -1, &insert, NULL);
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(database, "SELECT max(number) FROM peers", -1, &last, NULL);
  leave(has_gate);

  while ((code == SQLITE_OK || code == SQLITE_BUSY) && is_wanted()) {
    if (!writes) {
      sqlite3_step(last);
      code = sqlite3_reset(last);
      /* The writers have the gate meanwhile, so that each checkpoint finds commits. */
      usleep(100);
      if (code != SQLITE_OK && code != SQLITE_BUSY) break;
    }
    enter(has_gate);
    if (writes) {
      /* Keys that go up and down by turns, so that pages all over the file change. */
      sqlite3_bind_int(insert, 1, number);
      sqlite3_bind_int64(insert, 2, done % 2 ? done + 1 : -done - 1);
      sqlite3_bind_text(insert, 3, "what an acknowledged commit has added must be there for ever", -1, SQLITE_STATIC);
      sqlite3_step(insert);
      code = sqlite3_reset(insert);
    } else {
      code = sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    leave(has_gate);
    if (code == SQLITE_OK) done++;
  }
  printf("%ld %s\n", done, code == SQLITE_OK || code == SQLITE_BUSY ? "" : sqlite3_errmsg(database));
  fflush(stdout);
  enter(has_gate);
  sqlite3_finalize(insert);
  sqlite3_finalize(last);
  sqlite3_close(database);
  leave(has_gate);
  return 0;
}
