/* Which calls of a process are about the files of the database under test.

   For libraries that are loaded before the C library (LD_PRELOAD) and stand between the sidecar and the system. SQLite calls what
   it does by the names with 64 in them, Swift by those without; both are the same here. */

#ifndef DATABASE_FILES_H
#define DATABASE_FILES_H

#include <dlfcn.h>
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

#endif
