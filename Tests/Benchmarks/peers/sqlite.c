// What the disk and SQLite allow: transitions in one process, without a protocol, that many a commit.
//
//   sqlite DATABASE TRANSITIONS PER_COMMIT SCHEMA…
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RENDERS = 1000, CYCLE = 20 };

static sqlite3 *database;

static void check(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "sqlite: %s: %s\n", what, database ? sqlite3_errmsg(database) : "no database");
  exit(1);
}

static void run(const char *sql) { check(sqlite3_exec(database, sql, 0, 0, 0) == SQLITE_OK, sql); }

static sqlite3_stmt *prepared(const char *sql) {
  sqlite3_stmt *statement = 0;
  check(sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, 0) == SQLITE_OK, sql);
  return statement;
}

static void text(sqlite3_stmt *statement, int at, const char *value) {
  sqlite3_bind_text(statement, at, value, -1, SQLITE_STATIC);
}

static void done(sqlite3_stmt *statement) {
  check(sqlite3_step(statement) == SQLITE_DONE && sqlite3_changes(database) == 1, sqlite3_sql(statement));
  sqlite3_reset(statement);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static long long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static char *contents(const char *path) {
  static char buffer[65536];
  FILE *file = fopen(path, "r");
  check(file != 0, path);
  buffer[fread(buffer, 1, sizeof buffer - 1, file)] = 0;
  fclose(file);
  return buffer;
}

int main(int count, char **arguments) {
  check(count > 4, "usage: sqlite DATABASE TRANSITIONS PER_COMMIT SCHEMA…");
  long transitions = atol(arguments[2]), perCommit = atol(arguments[3]);

  double begin = seconds();
  check(sqlite3_open(arguments[1], &database) == SQLITE_OK, arguments[1]);
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  for (int file = 4; file < count; file++) run(contents(arguments[file]));

  sqlite3_stmt *find = prepared(
    "SELECT row, state, progress, render_id, run, attempt, version FROM renders WHERE id = ?");
  sqlite3_stmt *insert = prepared(
    "INSERT INTO renders (id, state, progress, metadata, run, attempt, version, seq, created_at,"
    " updated_at, started_at, event) VALUES (?1, 'queued', 0, '{}', 1, 1, 1, ?2, ?3, ?3, ?3, 'start')");
  sqlite3_stmt *update = prepared(
    "UPDATE renders SET state = ?3, progress = ?4, render_id = ?5, error = ?6, attempt = ?7,"
    " version = version + 1, seq = ?8, updated_at = ?9, event = ?10 WHERE row = ?1 AND version = ?2");
  sqlite3_stmt *log = prepared(
    "INSERT INTO transitions VALUES"
    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, ?8, NULL, 1, ?9, ?10, 'host', ?11, ?3, NULL)");

  for (long number = 0; number < transitions; number++) {
    if (number % perCommit == 0) run("BEGIN IMMEDIATE");

    // The same events in the same order as in events.mjs.
    char id[32], renderID[48], previous[16] = "idle";
    long step = number / RENDERS, at = step % CYCLE, seq = number + 1;
    snprintf(id, sizeof id, "render-%ld", number % RENDERS);
    snprintf(renderID, sizeof renderID, "%s-%ld", id, step / CYCLE + 1);
    const char *event = at == 0 ? "start" : at < CYCLE - 1 ? "progress" : "fail";
    const char *expected = at == 0 ? "failed" : at == 1 ? "queued" : "rendering";
    const char *state = at == 0 ? "queued" : at < CYCLE - 1 ? "rendering" : "failed";
    const char *error = at == CYCLE - 1 ? "The renderer gave up" : 0;
    const char *current = at == 0 ? 0 : renderID;
    double progress = at < CYCLE - 1 ? at * 5 : (CYCLE - 2) * 5;
    long long now = milliseconds(), row = 0, attempt = 1, version = 0;

    text(find, 1, id);
    if (sqlite3_step(find) == SQLITE_ROW) {
      row = sqlite3_column_int64(find, 0);
      snprintf(previous, sizeof previous, "%s", sqlite3_column_text(find, 1));
      attempt = sqlite3_column_int64(find, 5) + (at == 0);
      version = sqlite3_column_int64(find, 6);
      check(strcmp(previous, expected) == 0, "the transition is not allowed");
    }
    sqlite3_reset(find);

    if (version == 0) {
      text(insert, 1, id);
      sqlite3_bind_int64(insert, 2, seq);
      sqlite3_bind_int64(insert, 3, now);
      done(insert);
    } else {
      sqlite3_bind_int64(update, 1, row);
      sqlite3_bind_int64(update, 2, version);
      text(update, 3, state);
      sqlite3_bind_double(update, 4, progress);
      text(update, 5, current);
      text(update, 6, error);
      sqlite3_bind_int64(update, 7, attempt);
      sqlite3_bind_int64(update, 8, seq);
      sqlite3_bind_int64(update, 9, now);
      text(update, 10, event);
      done(update);
    }

    sqlite3_bind_int64(log, 1, seq);
    text(log, 2, id);
    text(log, 3, event);
    text(log, 4, previous);
    text(log, 5, state);
    sqlite3_bind_double(log, 6, progress);
    text(log, 7, current);
    text(log, 8, error);
    sqlite3_bind_int64(log, 9, attempt);
    sqlite3_bind_int64(log, 10, version + 1);
    sqlite3_bind_int64(log, 11, now);
    done(log);

    if ((number + 1) % perCommit == 0 || number + 1 == transitions) run("COMMIT");
  }
  sqlite3_finalize(find);
  sqlite3_finalize(insert);
  sqlite3_finalize(update);
  sqlite3_finalize(log);
  check(sqlite3_close(database) == SQLITE_OK, "close");
  printf("{\"perSecond\": %.1f, \"version\": \"%s\"}\n", transitions / (seconds() - begin), sqlite3_libversion());
  return 0;
}
