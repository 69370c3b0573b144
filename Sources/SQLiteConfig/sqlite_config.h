#include <sqlite3.h>

// Calls that are variadic in C, which Swift cannot make.

/// Sets an on-off option of a connection (sqlite.org/c3ref/c_dbconfig_defensive.html); answers a
/// result code.
static inline int sqlite3_db_config_set(sqlite3 *connection, int option, int isOn) {
  return sqlite3_db_config(connection, option, isOn, (int *)0);
}

/// Sets an on-off option of the library (sqlite.org/c3ref/c_config_covering_index_scan.html); answers a
/// result code.
static inline int sqlite3_config_set(int option, int isOn) {
  return sqlite3_config(option, isOn);
}

/// Sets how much memory for small things each connection has at hand (sqlite.org/malloc.html#lookaside):
/// so many slots of so many bytes; answers a result code.
static inline int sqlite3_config_lookaside(int bytes, int slots) {
  return sqlite3_config(SQLITE_CONFIG_LOOKASIDE, bytes, slots);
}
